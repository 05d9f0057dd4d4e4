# Sourced by upbeat-setup and run-by-hand.
# shellcheck shell=dash

# read_settings FILE: sets what its lines say, as systemd reads them, which has a grammar of its own; a file that is missing has no settings.
# Lines with quotes or backslashes are taken only where they mean the same to the shell. At the first other one it says where that is, sets
# nothing and returns 2. The value, which may be a secret, is never said.
read_settings() {
    local bad name
    [ -r "$1" ] || return 0
    if bad=$(LC_ALL=C grep -avnE -m 1 "^[[:blank:]]*([#;](.*[^\\])?|[A-Za-z_][A-Za-z0-9_]*=([^'\"\\]*|'[^']*'[[:blank:]]*|\"[^\$\`\\\"]*\"[[:blank:]]*))?\$" "$1"); then
        name=$(printf '%s\n' "${bad#*:}" | LC_ALL=C sed -nE 's/^[[:blank:]]*([A-Za-z_][A-Za-z0-9_]*)=.*/\1/p')
        if [ -n "$name" ]; then
            echo "${0##*/}: $1 line ${bad%%:*}: put the value of $name into single quotes" >&2
        else
            echo "${0##*/}: $1 line ${bad%%:*}: must be NAME='VALUE', or a comment, which may not end in a backslash" >&2
        fi
        return 2
    fi
    # To systemd a semicolon begins a comment, too, and a value without quotes goes on to the end of its line, without the blanks around it.
    eval "$(LC_ALL=C sed -E -e 's/^[[:blank:]]*;/#/' -e "s/^[[:blank:]]*([A-Za-z_][A-Za-z0-9_]*)=[[:blank:]]*([^'\"]*[^'\"[:space:]])?[[:space:]]*\$/\1='\2'/" "$1")"
}
