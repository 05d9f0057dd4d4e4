# shellcheck shell=bash
# The processes that fcgi/up starts, watches and stops; read by it. Each is the leader of a session, by the name that it is started under.
# "stop_asked" is set by a signal to fcgi/up; "fail_with_log" is fcgi/up's.

names=() # in the order of their start
declare -A pids logs
stop_asked=

# start_child NAME LOG [SETPRIV OPTIONS…] COMMAND…: in a session of its own, so that Ctrl-C reaches us alone, and told by the kernel
# when we are killed.
start_child() {
    local name=$1 log=$2 options=()
    shift 2
    while [[ $1 == --* ]]; do
        case $1 in
        --reuid=*)
            [[ ${1#*=} == "$(id -un)" ]] || options+=("$1" "--regid=${1#*=}" --init-groups)
            shift
            ;;
        --pdeathsig)
            options+=("$1" "$2")
            shift 2
            ;;
        *) break ;;
        esac
    done
    setsid setpriv "${options[@]}" -- "$@" >>"$log" 2>&1 </dev/null 9>&- &
    names+=("$name")
    pids[$name]=$!
    logs[$name]=$log
}

# await NAME COMMAND…: until the command succeeds, while the child lives, at most 20 s.
await() {
    local name=$1
    shift
    for _ in {1..400}; do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        kill -0 "${pids[$name]}" 2>/dev/null || fail_with_log "$name ended at its start" "${logs[$name]}"
        [[ -z $stop_asked ]] || exit 0
        sleep 0.05
    done
    fail_with_log "$name is not ready after 20 s" "${logs[$name]}"
}

# stop_child NAME SIGNAL SECONDS: the leader of the session, which stops its own children; and these where it is gone.
stop_child() {
    local pid=${pids[$1]:-}
    [[ -n $pid ]] || return 0
    kill "-$2" "$pid" 2>/dev/null || kill "-$2" -- "-$pid" 2>/dev/null || return 0
    for ((i = 0; i < $3 * 20; i++)); do
        kill -0 -- "-$pid" 2>/dev/null || return 0
        sleep 0.05
    done
    echo "upbeat: $1 did not stop within $3 s and is killed" >&2
    kill -KILL -- "-$pid" 2>/dev/null || true
}

# Until we are told to stop, or a child ends, which it should not.
supervise() {
    local ended='' name
    while [[ -z $stop_asked ]]; do
        wait -n -p ended "${pids[@]}" || true
        [[ -n ${ended:-} && -z $stop_asked ]] || continue
        for name in "${names[@]}"; do
            [[ ${pids[$name]} != "$ended" ]] || fail_with_log "$name has ended" "${logs[$name]}"
        done
    done
}
