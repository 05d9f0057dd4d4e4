# Debian's packages that upbeat needs, and how they get here. Sourced by fcgi/up and tests/run.
# shellcheck shell=bash disable=SC2034

build_packages=(gcc libc6-dev cmake ninja-build pkg-config libfcgi-dev libcurl4-openssl-dev libpq-dev libcjson-dev uthash-dev
    dpkg-dev file)
run_packages=(nginx-light spawn-fcgi multiwatch postgresql-15 postgresql-client-15 python3-aiohttp libjs-chart.js curl util-linux procps)
test_packages=(libcmocka-dev clang clang-format clang-tidy cppcheck shellcheck libclang-rt-14-dev valgrind git
    python3-pytest python3-psycopg python3-hypothesis python3-jsonschema postgresql-15-pgtap libtap-parser-sourcehandler-pgtap-perl
    wrk pgbouncer faketime python3-cryptography msmtp python3-aiosmtpd chromium chromium-driver
    python3-selenium python3-pytest-xdist lintian debootstrap systemd systemd-container prometheus
    tinyproxy patroni python3-etcd python3-yaml etcd-server haproxy pgbackrest fonts-wqy-microhei fonts-noto-color-emoji)

missing_packages() {
    local package
    for package in "$@"; do
        # Either flavour of nginx will do: one that is there already is not replaced.
        [[ $package == nginx-light && -x /usr/sbin/nginx ]] && continue
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
    done
}

# Installs what is missing of the packages named: through sudo where we are not root, without questions, and without starting any
# server that comes with them on the operator's machine (RUNLEVEL=1 is what invoke-rc.d looks at).
install_missing() {
    local missing as_root=()
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "upbeat: needs Debian 12 or a relative of it: there is no apt-get to install ${missing[*]} with" >&2
        return 1
    fi
    if [[ $EUID -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "upbeat: needs the packages ${missing[*]}, and to install them root or sudo" >&2
            return 1
        fi
        as_root=(sudo)
        # sudo takes the operator's proxy away unless it is told to leave it.
        [[ -z ${http_proxy:-}${https_proxy:-}${all_proxy:-} ]] ||
            as_root+=("--preserve-env=http_proxy,https_proxy,all_proxy,no_proxy")
    fi
    echo "installing ${missing[*]}"
    local apt=("${as_root[@]}" env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o Dpkg::Use-Pty=0)
    if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; } </dev/null >/dev/null; then
        echo "upbeat: the packages could not be installed: see what apt-get says above" >&2
        return 1
    fi
}
