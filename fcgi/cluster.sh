# The private PostgreSQL cluster of fcgi/up: made once, started each time, on a unix socket only. Sourced by fcgi/up, which sets
# state, pg_dir, log_dir, cluster_user and pool_user.
# shellcheck shell=bash disable=SC2154

pg_bin=/usr/lib/postgresql/15/bin
cluster=$state/cluster
program_roles=(upbeat_worker upbeat_fetch upbeat_history upbeat_alert upbeat_token)

# PostgreSQL refuses root.
as_cluster_user() {
    if [[ $cluster_user == "$(id -un)" ]]; then
        "$@"
    else
        setpriv --reuid="$cluster_user" --regid="$cluster_user" --init-groups -- "$@"
    fi
}

make_cluster() {
    [[ -f $cluster/upbeat.conf ]] && return
    if [[ -e $cluster ]]; then
        # A first start that was cut short; initdb wants an empty folder, and there are no data yet.
        rm -rf "$cluster"
    fi
    install -d -m 0700 -o "$cluster_user" "$cluster"
    as_cluster_user env LC_ALL=C "$pg_bin/initdb" -D "$cluster" -U postgres -A peer -E UTF8 --locale=C --data-checksums --no-sync \
        >"$log_dir/initdb.log" 2>&1 || fail_with_log "the PostgreSQL cluster could not be made" "$log_dir/initdb.log"
    as_cluster_user tee -a "$cluster/postgresql.conf" >/dev/null <<<"include = 'upbeat.conf'"
}

# Nobody but the users named here gets in, and nobody over the network.
configure_cluster() {
    as_cluster_user tee "$cluster/pg_hba.conf" >/dev/null <<<'local all all peer map=upbeat'
    {
        local role
        for role in postgres upbeat "${program_roles[@]}"; do
            echo "upbeat $(id -un) $role"
        done
        echo "upbeat $pool_user upbeat_worker"
        echo "upbeat $fetch_user upbeat_fetch"
        echo "upbeat $fetch_user upbeat_history"
        echo "upbeat $fetch_user upbeat_alert"
        echo "upbeat $cluster_user postgres"
    } | as_cluster_user tee "$cluster/pg_ident.conf" >/dev/null
    as_cluster_user tee "$cluster/upbeat.conf" >/dev/null <<CONF
listen_addresses = ''
unix_socket_directories = '$pg_dir'
max_connections = $((UPBEAT_WORKERS + 30))
shared_buffers = 128MB
jit = off
log_destination = stderr
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
CONF
}

# One left behind by a killed fcgi/up is told to stop by the kernel; it may take a moment.
await_old_cluster() {
    local pid
    for _ in {1..100}; do
        pid=$(head -n 1 "$cluster/postmaster.pid" 2>/dev/null) || return 0
        [[ -r /proc/$pid/comm && $(<"/proc/$pid/comm") == postgres ]] || return 0
        sleep 0.1
    done
    as_cluster_user "$pg_bin/pg_ctl" -D "$cluster" -m fast -w stop >/dev/null 2>&1 ||
        fail "the PostgreSQL cluster in $cluster still runs as process $pid and does not stop"
}

superuser_psql() {
    psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$pg_dir" -U postgres "$@"
}

make_roles() {
    local role
    for role in upbeat "${program_roles[@]}"; do
        [[ -n $(superuser_psql -d postgres -c "select 1 from pg_roles where rolname = '$role'") ]] ||
            superuser_psql -d postgres -c "create role $role login"
    done
    [[ -n $(superuser_psql -d postgres -c "select 1 from pg_database where datname = 'upbeat'") ]] ||
        superuser_psql -d postgres -c 'create database upbeat owner upbeat'
}

start_cluster() {
    install -d -m 0755 -o "$cluster_user" "$pg_dir"
    make_cluster
    await_old_cluster
    configure_cluster
    start_child PostgreSQL "$log_dir/postgres.log" --reuid="$cluster_user" --pdeathsig INT "$pg_bin/postgres" -D "$cluster"
    await "PostgreSQL" "$pg_bin/pg_isready" -q -h "$pg_dir" -d postgres
    make_roles
}
