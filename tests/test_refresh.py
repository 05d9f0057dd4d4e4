"""When Chartbeat is asked, and with which key; and what is served meanwhile."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

from servers.load import Load
from servers.processes import allow_s, await_true
from servers.rights import private_kb
from servers.simulator import Simulator
from servers.stack import KEY, Answer, Stack, page

AGED = "select clock_timestamp() - taken_at > interval '600 ms' from cache where host = %s"
BACK_OFF_S = "select extract(epoch from next_try_at - last_error_at)::float from refreshes where host = %s"
SNAPSHOTS = "select count(*) from snapshots where host = %s"


@pytest.fixture(scope="module")
def lasting(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


@pytest.fixture(scope="module")
def stale(new_stack: Callable[..., Stack]) -> Stack:
    """Rows that a test has outdated are answered at once."""
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="300000", UPBEAT_WAIT_MS="0")


@pytest.fixture(scope="module")
def patient(new_stack: Callable[..., Stack]) -> Stack:
    """Whoever finds a row that a test has outdated waits for the refresh, for a second."""
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="300000", UPBEAT_WAIT_MS="1000")


@pytest.fixture(scope="module")
def short(new_stack: Callable[..., Stack]) -> Stack:
    """A stale row is refreshed before it is answered, and soon it is too old for anything."""
    return new_stack(
        UPBEAT_TTL_MS="100",
        UPBEAT_STALE_MS="100",
        UPBEAT_STALE_ERROR_MS="100",
        UPBEAT_UPSTREAM_TIMEOUT_MS="1000",
    )


def asked(stack: Stack, host: str) -> int:
    """Requests to Chartbeat for a host so far."""
    return int(stack.simulator.counts()["hosts"].get(host, 0))


def await_age(stack: Stack, host: str, age_ms: int) -> None:
    query = "select clock_timestamp() - taken_at > %s * interval '1 ms' from cache where host = %s"
    await_true(lambda: stack.database.value(query, age_ms, host), 5, f"{host} of {age_ms} ms")


def make_older(stack: Stack, host: str, seconds: int) -> None:
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - %s * interval '1 s' where host = %s",
            seconds,
            host,
        )


def at_once(stack: Stack, host: str, clients: int, key: str = KEY) -> list[Answer]:
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(lambda _: stack.rising(host, key), range(clients)))


def keys_used(simulator: Simulator, host: str) -> list[str]:
    return [one["key8"] for one in simulator.requests(host)]


# Fresh, stale, older


def test_within_the_ttl_nobody_asks_again(lasting: Stack, host: str) -> None:
    for _ in range(20):
        assert lasting.rising(host).status == 200
    assert asked(lasting, host) == 1


def test_with_no_time_to_wait_stale_is_answered_at_once_and_refreshed_after(stale: Stack, host: str) -> None:
    stale.simulator.script(host, [page("/", 1)])
    stale.rising(host)
    stale.outdate(host)
    stale.simulator.script(host, [page("/", 2)])
    stale.simulator.fault(host, "slow", latency_ms=1000, times=1)  # so that the answer can't be the new one
    answer = stale.rising(host)
    assert answer.json == [] and answer.headers["Warning"].startswith("110")
    await_true(lambda: stale.database.value(SNAPSHOTS, host) == 2, 5, "the refill")


def test_one_refreshes_while_all_others_are_served_stale(stale: Stack, host: str) -> None:
    stale.rising(host)
    stale.outdate(host)
    stale.simulator.fault(host, "slow", latency_ms=1000, times=1)
    answers = at_once(stale, host, 40)
    assert {answer.status for answer in answers} == {200}
    await_true(lambda: stale.database.value(SNAPSHOTS, host) == 2, 5, "the refresh")
    assert asked(stale, host) == 2


def test_older_than_the_ttl_is_refreshed_before_it_is_answered(patient: Stack, host: str) -> None:
    """So whoever asks twice, some seconds apart, gets what has changed the second time."""
    patient.simulator.script(host, [page("/", 1)])
    assert patient.rising(host).json == []
    patient.outdate(host)
    patient.simulator.script(host, [page("/", 5)])
    answer = patient.rising(host)
    assert "Warning" not in answer.headers and answer.json[0]["change"] == 4


def test_nobody_waits_longer_than_he_should(patient: Stack, host: str) -> None:
    """Then what there is, stale; and the refresh goes on."""
    patient.simulator.script(host, [page("/", 1)])
    patient.rising(host)
    patient.outdate(host)
    patient.simulator.fault(host, "slow", latency_ms=2500, times=1)
    from_s = time.monotonic()
    answers = at_once(patient, host, 20)
    took_s = time.monotonic() - from_s
    assert {answer.status for answer in answers} == {200}
    assert all(answer.headers["Warning"].startswith("110") for answer in answers)
    assert 0.9 < took_s < allow_s(2.2)
    await_true(lambda: patient.database.value(SNAPSHOTS, host) == 2, 5, "the refresh")
    assert asked(patient, host) == 2


def test_an_answer_says_once_how_long_it_may_be_kept(patient: Stack, host: str) -> None:
    for _ in range(2):
        assert len(patient.rising(host).headers.get_all("Cache-Control")) == 1
        patient.outdate(host)


def test_older_rows_are_refreshed_before_they_are_answered(lasting: Stack, host: str) -> None:
    lasting.simulator.script(host, [page("/", 1)])
    lasting.rising(host)
    make_older(lasting, host, 120)
    lasting.simulator.script(host, [page("/", 5)])
    answer = lasting.rising(host)
    assert "Warning" not in answer.headers and answer.json[0]["visitors"] == 5


def test_a_cold_host_costs_one_request_and_all_who_wait_are_answered(lasting: Stack, host: str) -> None:
    lasting.simulator.fault(host, "slow", latency_ms=500, times=1)
    assert {answer.status for answer in at_once(lasting, host, 30)} == {200}
    assert asked(lasting, host) == 1
    assert lasting.database.value("select count(*) from snapshots where host = %s", host) == 1


def test_two_keys_that_were_never_checked_are_each_checked_for_a_host_at_once(lasting: Stack, host: str) -> None:
    other, bad = KEY.replace("0001", "fourth"), KEY.replace("0001", "nobody-s")
    lasting.simulator.keys(other, [host])
    lasting.simulator.fault(host, "slow", latency_ms=200)
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda n: lasting.rising(host, (KEY, other, bad)[n % 3]).status, range(30)))
    assert answers == [200, 200, 400] * 10
    assert asked(lasting, host) == 3


def test_one_worker_has_many_cold_hosts_asked_for_side_by_side(new_stack: Callable[..., Stack]) -> None:
    alone = new_stack(UPBEAT_WORKERS="1")
    hosts = [f"cold-{n}.example" for n in range(40)]
    for host in hosts:
        alone.simulator.fault(host, "slow", latency_ms=1500)
    with ThreadPoolExecutor(len(hosts)) as pool:
        answers = pool.map(alone.rising, hosts)
        alone.simulator.await_counts(lambda counts: counts["in_flight"] == len(hosts))
        assert {answer.status for answer in answers} == {200}
    assert [asked(alone, host) for host in hosts] == [1] * len(hosts)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_who_needs_no_refresh_does_not_wait_behind_a_crowd_that_does(
    new_stack: Callable[..., Stack], path: str
) -> None:
    alone = new_stack(UPBEAT_WORKERS="1")
    assert alone.rising("known.example").status == 200
    alone.simulator.fault("*", "slow", latency_ms=1700)  # with 0.8 s to store them all, before nobody waits any longer
    hosts = [f"cold-{n}.example" for n in range(30)]
    with ThreadPoolExecutor(len(hosts)) as pool:
        slow = [pool.submit(alone.rising, host) for host in hosts]
        alone.simulator.await_counts(lambda counts: counts["in_flight"] == len(hosts))
        assert alone.rising("known.example").status == 200
        assert alone.ask(path).status == 200
        assert not any(one.done() for one in slow), "it waited behind them"
        assert {one.result().status for one in slow} == {200}


def test_nobody_who_asks_for_the_list_waits_behind_the_history(new_stack: Callable[..., Stack]) -> None:
    """Which is answered by a pool of its own: here one that does not run at all."""
    stack = new_stack()
    assert stack.rising("known.example").status == 200
    query = {"headers": {"X-CB-AK": KEY}, "host": "known.example"}
    with ThreadPoolExecutor(1) as pool:
        stack.reports.send(signal.SIGSTOP)
        try:
            history = pool.submit(lambda: stack.ask("/api/v1.0/history", **query))
            assert [stack.rising(host).status for host in ("known.example", "cold.example")] == [200] * 2
            assert stack.ask("/readyz").status == 200
            assert not history.done()
        finally:
            stack.reports.send(signal.SIGCONT)
        assert history.result().status == 200


def test_while_chartbeat_is_asked_the_only_worker_serves_all_others(
    new_stack: Callable[..., Stack], host: str
) -> None:
    stack = new_stack(UPBEAT_TTL_MS="500", UPBEAT_STALE_MS="60000", UPBEAT_WAIT_MS="0", UPBEAT_WORKERS="1")
    other = f"other-{host}"
    for one in (host, other):
        stack.rising(one)
    with Load(stack, other, clients=2, pause_s=0.002) as load:
        load.await_more(50)
        await_true(lambda: stack.database.value(AGED, host), 5, "a stale row")
        stack.simulator.fault(host, "slow", latency_ms=2800, times=1)
        assert stack.rising(host).headers["Warning"].startswith("110")
        stack.simulator.await_counts(lambda counts: counts["in_flight"] >= 1)
        from_s = time.monotonic()
        for _ in range(10):
            assert stack.rising(host).status == 200
        load.await_more(50)
        assert stack.simulator.counts()["in_flight"] >= 1, "it is still under way"
        until_s = time.monotonic()
    assert load.statuses() == {200}
    assert load.slowest_s(from_s, until_s) < allow_s(0.3), "nobody waited for Chartbeat"


def test_a_crowd_that_waits_for_the_lease_of_another_machine_is_answered_when_it_runs_out(
    lasting: Stack, host: str
) -> None:
    lasting.rising(host)
    make_older(lasting, host, 3600)
    lasting.database.rows(
        "update refreshes set token = gen_random_uuid(),"
        " lease_until = clock_timestamp() + interval '1 s' where host = %s",
        host,
    )
    replies = lasting.crowd([f"{host}&limit={n + 1}" for n in range(120)])
    assert {reply.status for reply in replies} == {200}
    assert asked(lasting, host) == 2


def test_what_another_machine_has_stored_is_served_at_once(lasting: Stack, host: str) -> None:
    """The lease is looked at every 50 ms while somebody waits for it; it would run for 5 s more."""
    lasting.rising(host)
    make_older(lasting, host, 3600)
    lasting.database.rows(
        "update refreshes set token = gen_random_uuid(),"
        " lease_until = clock_timestamp() + interval '5 s' where host = %s",
        host,
    )
    with ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(lasting.rising, host) for _ in range(10)]
        await_true(lambda: lasting.waiting() == 10, 3, "all of them waiting")
        from_s = time.monotonic()
        lasting.database.rows("update cache set taken_at = clock_timestamp() where host = %s", host)
        lasting.database.rows("update refreshes set token = null, lease_until = null where host = %s", host)
        answers = [one.result() for one in waiting]
        took_s = time.monotonic() - from_s
    assert {answer.status for answer in answers} == {200} and took_s < allow_s(0.5)
    assert not any("Warning" in answer.headers for answer in answers)
    assert asked(lasting, host) == 1


@pytest.mark.once
def test_a_crowd_that_waited_leaves_no_memory_behind(new_stack: Callable[..., Stack]) -> None:
    crowd = 120
    stack = new_stack(UPBEAT_WORKERS="1")
    stack.simulator.script("known.example", [page(f"/{n}", 5) for n in range(100)])
    assert stack.rising("known.example").status == 200
    (worker,) = stack.pool.workers()
    before_kb = private_kb(worker)
    make_older(stack, "known.example", 3600)
    stack.simulator.fault("known.example", "slow", latency_ms=500, times=1)
    replies = stack.crowd([f"known.example&limit={n + 1}" for n in range(crowd)])
    assert {reply.status for reply in replies} == {200}
    grown_kb = private_kb(worker) - before_kb
    print(f"{before_kb} kB, {grown_kb:+} kB after a crowd of {crowd}")
    assert grown_kb < 2048


def test_a_snapshot_from_a_clock_that_jumped_back_is_void(lasting: Stack, host: str) -> None:
    lasting.rising(host)
    make_older(lasting, host, -3600)
    lasting.database.rows("update refreshes set lease_until = lease_until + interval '1 hour'")
    assert lasting.rising(host).status == 200
    assert asked(lasting, host) == 2


def test_an_orphaned_lease_is_taken_over_when_it_runs_out(lasting: Stack, host: str) -> None:
    lasting.rising(host)
    make_older(lasting, host, 120)
    lasting.database.rows(
        "update refreshes set token = gen_random_uuid(),"
        " lease_until = clock_timestamp() + interval '700 ms' where host = %s",
        host,
    )
    assert lasting.rising(host).status == 200
    assert asked(lasting, host) == 2


# Chartbeat in trouble


@pytest.mark.parametrize(
    "kind, parameters, status",
    [
        ("status", {"status": 500}, 502),
        ("html_200", {}, 502),
        ("redirect", {}, 502),
        ("hang", {}, 504),
        ("close", {}, 503),
        ("retry_after", {"value": 30}, 503),
    ],
)
def test_with_nothing_to_serve_the_client_hears_what_is_wrong_and_when_to_come_again(
    short: Stack, host: str, kind: str, parameters: dict[str, Any], status: int
) -> None:
    short.simulator.fault(host, kind, **parameters)
    answer = short.rising(host)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json" and answer.json["detail"]
    assert 1 <= int(answer.headers["Retry-After"]) <= 31
    asks = asked(short, host)
    # A kept connection that is closed without a word may have been closed before: libcurl asks on a new one.
    assert asks == 1 or (kind == "close" and asks == 2)
    again = short.rising(host)
    assert again.status in (status, 503) and asked(short, host) == asks, "back-off: Chartbeat is left alone"


def test_back_off_grows_with_the_failures_and_ends_with_success(short: Stack, host: str) -> None:
    short.simulator.fault(host, "status", status=500)
    waits = []
    wait = BACK_OFF_S + " and failures = %s"
    for failures in range(1, 5):
        # For a moment a worker says itself what came of the last try.
        await_true(lambda: short.rising(host).status and short.database.rows(wait, host, failures), 5, "a try")
        waits.append(short.database.value(wait, host, failures))
        short.database.rows("update refreshes set next_try_at = null where host = %s", host)
    assert all(2**n * 0.6 < wait_s < 2**n * 1.4 for n, wait_s in enumerate(waits, 1)), waits
    short.simulator.end_faults(host)
    await_true(lambda: short.rising(host).status == 200, 5)
    status = "select failures, next_try from host_status where host = %s"
    assert short.database.rows(status, host) == [(0, None)]


@pytest.mark.parametrize("said, wait_s", [("30", 30), ("99999999", 600)])
def test_retry_after_is_kept_to_and_clamped(short: Stack, host: str, said: str, wait_s: int) -> None:
    short.simulator.fault(host, "retry_after", value=said)
    short.rising(host)
    assert short.database.value(BACK_OFF_S, host) == pytest.approx(wait_s, abs=0.1)


def test_too_old_to_serve_is_not_served(short: Stack, host: str) -> None:
    await_true(lambda: short.rising(host).status == 200, 5, "a row")
    short.simulator.fault(host, "status", status=500)
    await_true(lambda: short.rising(host).status != 200, 5)


def test_the_rate_budget_holds_whatever_the_clients_do(new_stack: Callable[..., Stack]) -> None:
    """12 a minute with a burst of a tenth of that: the third request in a row has to wait."""
    stack = new_stack(UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="100", UPBEAT_RATE_PER_MINUTE="12")
    host = "budget.example"
    from_s = time.monotonic()
    answers = [stack.rising(host) for _ in range(20)]
    await_age(stack, host, 150)
    answers += [stack.rising(host) for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert asked(stack, host) <= 3 + (time.monotonic() - from_s) // 5


# Keys


def test_each_key_is_checked_once_and_then_served_from_the_cache(lasting: Stack, host: str) -> None:
    other = KEY.replace("0001", "second")
    lasting.simulator.keys(other, [host])
    for key in (KEY, other, KEY, other):
        assert lasting.rising(host, key).status == 200
    assert asked(lasting, host) == 2
    assert lasting.database.value("select keys from host_status where host = %s", host) == 2


def test_a_refresh_uses_the_key_that_was_checked_longest_ago(stale: Stack, host: str) -> None:
    other = KEY.replace("0001", "third")
    stale.simulator.keys(other, [host])
    stale.rising(host)
    stale.rising(host, other)
    for count in (3, 4, 5, 6):
        # A check is noted once in ten seconds; here it is as if these had passed between any two.
        stale.database.rows(
            "update key_checks set checked_at = checked_at - interval '10 s' where host = %s", host
        )
        stale.outdate(host)
        stale.rising(host)
        await_true(lambda: asked(stale, host) == count, 5, f"request {count}")
        failures = "select count(*) from refreshes where host = %s and token is null"
        await_true(lambda: stale.database.value(failures, host) == 1, 5, "the lease given back")
    used = keys_used(stale.simulator, host)
    assert used[2:] in (used[:2] * 2, used[:2][::-1] * 2), used


def test_a_key_unused_for_five_minutes_is_checked_before_it_is_served_again(
    lasting: Stack, host: str
) -> None:
    lasting.rising(host)
    lasting.database.rows(
        "update key_checks set checked_at = checked_at - interval '6 minutes' where host = %s", host
    )
    lasting.simulator.keys(KEY, ["elsewhere.example"])
    try:
        doubted = lasting.rising(host)
        assert doubted.status == 200, "one refusal makes an accepted key doubted, and it is served on"
        assert asked(lasting, host) == 2
        lasting.database.rows(
            "update key_checks set doubted_at = doubted_at - interval '70 s' where host = %s", host
        )
        assert lasting.rising(host).status == 400
        assert asked(lasting, host) == 3
    finally:
        lasting.simulator.keys(KEY, "*")


@pytest.mark.unhurried
def test_a_revoked_key_gives_way_to_another_and_is_then_refused(stale: Stack, host: str) -> None:
    revoked = KEY.replace("0001", "revoked")
    stale.simulator.keys(revoked, [host])
    stale.rising(host, revoked)
    stale.rising(host)
    stale.simulator.keys(revoked, None)

    def refused() -> bool:
        stale.outdate(host)
        assert stale.rising(host).status == 200
        return stale.rising(host, revoked).status == 400

    await_true(refused, 15, "the revoked key refused, which takes two refusals 5 s apart")
    status = "select keys, refused_keys, failures from host_status where host = %s"
    assert stale.database.rows(status, host) == [(1, 1, 0)]


def test_a_refusal_is_remembered_for_a_minute_then_longer(lasting: Stack, host: str) -> None:
    key = KEY.replace("0001", "guess")
    until = (
        "select extract(epoch from refused_until - checked_at)::float"
        " from key_checks where host = %s"
    )
    for count, seconds in enumerate((60, 120, 240, 480, 600, 600), 1):
        assert [lasting.rising(host, key).status for _ in range(3)] == [400] * 3
        assert asked(lasting, host) == count
        assert lasting.database.value(until, host) == pytest.approx(seconds, abs=1)
        lasting.database.rows(
            "update key_checks set refused_until = clock_timestamp() where host = %s", host
        )


def test_guessed_keys_cost_chartbeat_a_bounded_number_of_requests(
    lasting: Stack, host: str
) -> None:
    lasting.rising(host)
    statuses = [lasting.rising(host, KEY + f"-guess-{n}").status for n in range(60)]
    assert set(statuses) == {400, 429} and statuses[0] == 400
    assert asked(lasting, host) < 30
    assert lasting.rising(host).status == 200, "who has a good key notices nothing"
    assert (
        lasting.database.value(
            "select count(*) from apikeys a where not exists"
            " (select from key_checks k where k.digest = a.digest"
            " and k.state <> 'refused')"
        )
        == 0
    )


def test_keys_are_sealed_at_rest(lasting: Stack, host: str) -> None:
    lasting.rising(host)
    sealed = lasting.database.rows("select sealed, digest from apikeys")
    assert sealed
    for value, digest in sealed:
        assert KEY.encode() not in bytes(value) and len(bytes(digest)) == 32
