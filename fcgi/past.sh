# The past of the simulated site, for fcgi/up, whose variables it uses.
#
# shellcheck shell=bash disable=SC2034,SC2154

simulator_options=() # what surges at its start has surged before, where there is a past
FIRST_LOOK_DAYS=3 # before the last one, from which the board draws the usual band

# import_past FROM TO [OPTION]: Unix times.
import_past() {
    [[ $1 -lt $2 ]] || return 0
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$root/tests/simulator/past.py" --from "$1" --to "$2" "${@:3}" |
        UPBEAT_DATABASE_OWNER=$owner nice -n 10 "$programs/upbeat-import" demo.example
}

# The simulated site has a past: what came before now is drawn from the same model, newest first. The last two hours are there when we are
# ready, so that /trends has something to say, and so is this quarter of an hour of each day, so that the board can say what is usual. The
# rest comes in behind, counted from the first start on, until all of it is there; the day's curve and the days of its usual band are
# waited for where there is time. A later start fills in the time between, from a whole quarter of an hour on. What can't be imported is
# in the log, and keeps nobody from starting. All of this runs in a process group of its own, so that it ends with us.
start_past() {
    local now quarter known origin
    past_ready=$state/run/past-ready first_look=$state/run/past-first-look
    rm -f "$past_ready" "$first_look"
    [[ -n ${simulated:-} && $UPBEAT_PAST_DAYS -gt 0 ]] || return 0
    now=$(date +%s) simulator_options=(--has-past)
    quarter=$((now / 900 * 900))
    known=$(psql -XAtq "$owner" -c "select coalesce(greatest(ceil(extract(epoch from (select max(taken_at) from snapshots where host = 'demo.example')) / 900)::bigint * 900,
        extract(epoch from (select max(slot) from quarters where host = 'demo.example'))::bigint + 900), 0)")
    [[ -s $state/past-origin ]] || echo "$quarter" >"$state/past-origin"
    origin=$(<"$state/past-origin")
    set -m
    (
        set +e
        later() { [[ $1 -gt $2 ]] && echo "$1" || echo "$2"; }
        import_past "$(later "$known" $((quarter - 7200)))" "$now" --by-minute
        [[ $known -gt 0 ]] || import_past $((quarter - 86400 * (UPBEAT_PAST_DAYS - 1))) $((quarter - 86400)) --daily
        touch "$past_ready"
        if [[ $known -gt 0 ]]; then
            import_past "$(later "$known" $((quarter - 86400)))" $((quarter - 7200)) --by-minute
            import_past "$known" $((quarter - 86400))
        fi
        if [[ ! -e $state/past-complete ]]; then
            import_past $((origin - 86400)) $((origin - 7200)) --by-minute
            for ((day = 1; day < UPBEAT_PAST_DAYS; day++)); do
                import_past $((origin - 86400 * (day + 1))) $((origin - 86400 * day))
                [[ $day -ne $FIRST_LOOK_DAYS ]] || touch "$first_look"
            done
            touch "$state/past-complete"
        fi
        touch "$first_look"
    ) >>"$log_dir/past.log" 2>&1 </dev/null 9>&- &
    past_pid=$!
    set +m
}

# await_file FILE SECONDS: until it is there, at most so long after the build, while the past comes in.
await_file() {
    while ((${EPOCHREALTIME/./} < built_us + $2 * 1000000)); do
        [[ ! -e $1 ]] || return 0
        kill -0 "$past_pid" 2>/dev/null || return 0
        sleep 0.05
    done
}

await_past() {
    [[ -n ${past_pid:-} ]] || return 0
    await_file "$past_ready" 8
    await_file "$first_look" 4
}
