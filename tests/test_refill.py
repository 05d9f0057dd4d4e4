"""When Chartbeat is asked, by whom and with which key; and what is served meanwhile."""

import http.client
import os
import select
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from servers.processes import await_true, private_kb
from servers.simulator import Simulator
from servers.stack import KEY, PATH, Answer, Stack, page


@pytest.fixture(scope="module")
def lasting(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS="8")


@pytest.fixture(scope="module")
def stale(new_stack: Callable[..., Stack]) -> Stack:
    """Rows are stale soon and stay servable for long."""
    return new_stack(UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS="8")


@pytest.fixture(scope="module")
def short(new_stack: Callable[..., Stack]) -> Stack:
    """A stale row is refilled before it is answered, and soon it is too old for anything."""
    return new_stack(
        UPBEAT_TTL_MS="100",
        UPBEAT_STALE_MS="100",
        UPBEAT_STALE_ERROR_MS="100",
        UPBEAT_UPSTREAM_TIMEOUT_MS="400",
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


def test_stale_is_answered_at_once_and_refilled_after(stale: Stack, host: str) -> None:
    stale.simulator.script(host, [page("/", 1)])
    first = stale.rising(host)
    await_age(stale, host, 150)
    stale.simulator.script(host, [page("/", 2)])
    answer = stale.rising(host)
    assert answer.headers["ETag"] == first.headers["ETag"]
    assert answer.headers["Warning"].startswith("110")
    snapshots = "select count(*) from snapshots where host = %s"
    await_true(lambda: stale.database.value(snapshots, host) == 2, 5, "the refill")


def test_one_refills_while_all_others_are_served_stale(stale: Stack, host: str) -> None:
    stale.rising(host)
    await_age(stale, host, 150)
    stale.simulator.fault(host, "slow", latency_ms=1000, times=1)
    answers = at_once(stale, host, 40)
    assert {answer.status for answer in answers} == {200}
    stale.simulator.await_counts(lambda counts: counts["in_flight"] == 1)  # by whoever has nobody to serve
    assert asked(stale, host) == 2


def test_older_rows_are_refilled_before_they_are_answered(lasting: Stack, host: str) -> None:
    lasting.simulator.script(host, [page("/", 1)])
    lasting.rising(host)
    make_older(lasting, host, 120)
    lasting.simulator.script(host, [page("/", 5)])
    answer = lasting.rising(host)
    assert "Warning" not in answer.headers and answer.json[0]["visitors"] == 5


def test_a_cold_host_costs_one_request_and_who_can_not_wait_is_told_when_to_come_again(
    lasting: Stack, host: str
) -> None:
    lasting.simulator.fault(host, "slow", latency_ms=500, times=1)
    answers = at_once(lasting, host, 30)
    assert 200 in {answer.status for answer in answers} <= {200, 503}
    for answer in answers:
        if answer.status == 503:
            assert int(answer.headers["Retry-After"]) >= 1
    assert asked(lasting, host) == 1
    assert lasting.database.value("select count(*) from snapshots where host = %s", host) == 1


@pytest.fixture(scope="module")
def alone(new_stack: Callable[..., Stack]) -> Stack:
    """Who comes while its one worker fetches is met by the next round."""
    return new_stack(UPBEAT_WORKERS="1")


def test_all_who_are_met_by_the_round_that_fetches_a_cold_host_are_answered(
    alone: Stack, host: str
) -> None:
    first = f"first-{host}"
    alone.simulator.fault(first, "slow", latency_ms=1000)
    alone.simulator.fault(host, "slow", latency_ms=300)
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(alone.rising, first)
        alone.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        assert [answer.status for answer in at_once(alone, host, 8)] == [200] * 8
        assert before.result().status == 200
    assert asked(alone, host) == 1


def test_one_worker_fetches_the_cold_hosts_of_a_round_side_by_side(alone: Stack) -> None:
    """Eight at a time; the others follow as there is room."""
    hosts = [f"cold-{n}.example" for n in range(18)]
    alone.simulator.fault("first.example", "slow", latency_ms=600)
    for host in hosts:
        alone.simulator.fault(host, "slow", latency_ms=300)
    with ThreadPoolExecutor(1 + len(hosts)) as pool:
        before = pool.submit(alone.rising, "first.example")
        alone.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        answers = pool.map(alone.rising, hosts)
        alone.simulator.await_counts(lambda counts: counts["in_flight"] == 8)
        assert {answer.status for answer in answers} == {200}
        assert before.result().status == 200
    assert [asked(alone, host) for host in hosts] == [1] * len(hosts)


def at_the_door(stack: Stack) -> int:
    """Connections to the pool's socket that no worker has accepted."""
    connecting = "02"
    lines = Path("/proc/net/unix").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line.endswith(str(stack.pool.socket))]
    return sum(state == connecting for _, _, _, _, _, state, *_ in words)


@pytest.fixture
def frozen(new_stack: Callable[..., Stack], request: pytest.FixtureRequest) -> Iterator[Stack]:
    """So many workers that do not run, and to whom nobody is connected; known.example is stored."""
    stack = new_stack(UPBEAT_WORKERS=str(request.param))
    stack.simulator.script("known.example", [page(f"/{n}", 5) for n in range(100)])
    assert stack.rising("known.example").status == 200
    stack.pool.stop()
    stack.pool.start()
    workers = stack.pool.workers()
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    yield stack
    for worker in workers:
        os.kill(worker, signal.SIGCONT)


@pytest.mark.parametrize("frozen", [2], indirect=True)
def test_who_was_answered_in_a_round_does_not_wait_behind_its_slowest(frozen: Stack) -> None:
    frozen.simulator.fault("slow.example", "slow", latency_ms=2000)
    # One connection to nginx is one process of it, which has the connection to that worker.
    client = http.client.HTTPConnection("127.0.0.1", frozen.nginx.port, timeout=8)

    def quick_status() -> int:
        client.request("GET", f"{PATH}?host=quick.example", headers={"X-CB-AK": KEY})
        return Answer(client.getresponse()).status

    with ThreadPoolExecutor(2) as pool, closing(client):
        slow = pool.submit(frozen.rising, "slow.example")
        quick = pool.submit(quick_status)
        await_true(lambda: at_the_door(frozen) == 2, 5, "both at the pool's door")
        for worker in frozen.pool.workers():
            os.kill(worker, signal.SIGCONT)
            assert quick.result() == 200
        assert [quick_status() for _ in range(4)] == [200] * 4
        assert not slow.done(), "they waited behind it"
        assert slow.result().status == 200


@pytest.mark.parametrize("frozen", [1], indirect=True)
def test_who_needs_no_fetch_does_not_wait_behind_a_crowd_that_does(frozen: Stack) -> None:
    """However many come at once, all are heard before the first fetch."""
    crowd = 50
    frozen.simulator.fault("*", "slow", latency_ms=2000)
    with ThreadPoolExecutor(crowd + 1) as pool:
        slow = [pool.submit(frozen.rising, f"cold-{n}.example") for n in range(crowd)]
        await_true(lambda: at_the_door(frozen) == crowd, 5, "the crowd at the pool's door")
        quick = pool.submit(frozen.ask, "/healthz")
        await_true(lambda: at_the_door(frozen) == crowd + 1, 5, "one more")
        os.kill(frozen.pool.workers()[0], signal.SIGCONT)
        assert quick.result().status == 200
        assert not any(one.done() for one in slow), "it waited behind them"
        assert {one.result().status for one in slow} <= {200, 503}


@pytest.mark.parametrize("frozen", [1], indirect=True)
def test_fetches_do_not_wait_behind_a_crowd_that_reads_the_history(frozen: Stack) -> None:
    """Not even those that are more than go on at the same time."""
    crowd = 110
    cold = [f"cold-{n}.example" for n in range(12)]
    for host in cold:  # longer than it takes to begin them all
        frozen.simulator.script(host, [page("/", 5)])
        frozen.simulator.fault(host, "slow", latency_ms=40)
    order: list[str] = []

    def read(host: str, path: str, more: str = "") -> int:
        status = frozen.ask(path, headers={"X-CB-AK": KEY}, query=f"host={host}{more}").status
        order.append(host)
        return status

    with ThreadPoolExecutor(crowd + len(cold)) as pool:
        answers = [
            pool.submit(read, "known.example", "/api/v1.0/history", f"&path=/{n}")
            for n in range(crowd)
        ]
        await_true(lambda: at_the_door(frozen) == crowd, 5, "the crowd at the pool's door")
        answers += [pool.submit(read, host, PATH) for host in cold]
        await_true(lambda: at_the_door(frozen) == crowd + len(cold), 5, "those that need a fetch")
        os.kill(frozen.pool.workers()[0], signal.SIGCONT)
        assert {answer.result() for answer in answers} == {200}
    assert order[-1] == "known.example", "one that needs a fetch came last"


@pytest.mark.parametrize("frozen", [1], indirect=True)
def test_a_crowd_that_waits_for_another_worker_s_refill_is_answered_when_the_first_is(frozen: Stack) -> None:
    """One after the other would take 25 ms each, and so the last ones longer than their deadline."""
    crowd = 120
    make_older(frozen, "known.example", 3600)
    frozen.database.rows(
        "update refreshes set token = gen_random_uuid(),"
        " lease_until = clock_timestamp() + interval '1900 ms' where host = 'known.example'"
    )
    with ThreadPoolExecutor(crowd) as pool:
        answers = [
            pool.submit(
                frozen.ask, headers={"X-CB-AK": KEY}, query=f"host=known.example&limit={n + 1}"
            )
            for n in range(crowd)
        ]
        await_true(lambda: at_the_door(frozen) == crowd, 5, "the crowd at the pool's door")
        os.kill(frozen.pool.workers()[0], signal.SIGCONT)
        assert {answer.result().status for answer in answers} == {200}


@pytest.mark.once
@pytest.mark.parametrize("frozen", [1], indirect=True)
def test_a_crowd_that_waited_for_a_fetch_leaves_no_memory_behind(frozen: Stack) -> None:
    crowd = 120
    worker = frozen.pool.workers()[0]
    os.kill(worker, signal.SIGCONT)
    assert frozen.rising("cold.example").status == 200  # what a fetch takes is kept for the next one
    before_kb = private_kb(worker)
    os.kill(worker, signal.SIGSTOP)
    make_older(frozen, "known.example", 3600)
    with ThreadPoolExecutor(crowd) as pool:
        answers = [
            pool.submit(
                frozen.ask, headers={"X-CB-AK": KEY}, query=f"host=known.example&limit={n + 1}"
            )
            for n in range(crowd)
        ]
        await_true(lambda: at_the_door(frozen) >= crowd - 4, 5, "the crowd at the pool's door")
        os.kill(worker, signal.SIGCONT)
        assert {answer.result().status for answer in answers} == {200}
    await_true(lambda: frozen.ask("/healthz").status == 200, 5)  # the round has ended
    grown_kb = private_kb(worker) - before_kb
    print(f"{before_kb} kB, {grown_kb:+} kB after a crowd of {crowd}")
    assert grown_kb < 2048, "5,800 where nothing is given back"


def fastcgi_request(path: str, query: str = "", key: str = "") -> bytes:
    """FastCGI Specification 1.0, sections 3.3 and 3.4."""
    pairs = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": path, "QUERY_STRING": query, "HTTP_X_CB_AK": key}
    params = "".join(chr(len(name)) + chr(len(value)) + name + value for name, value in pairs.items())
    records = [(1, b"\0\1\0\0\0\0\0\0"), (4, params.encode()), (4, b""), (5, b"")]
    return b"".join(struct.pack(">BBHHBx", 1, kind, 1, len(data), 0) + data for kind, data in records)


@pytest.mark.parametrize("frozen", [1], indirect=True)
def test_a_newcomer_is_heard_before_a_fetch(frozen: Stack) -> None:
    """nginx connects, and sends a moment later. The test may be later, so it has some tries; at the first one
    the worker has no connection to the database yet."""
    frozen.simulator.fault("*", "slow", latency_ms=1500)
    worker = frozen.pool.workers()[0]
    for n in range(5):
        os.kill(worker, signal.SIGSTOP)
        with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as newcomer:
            for peer in (slow, newcomer):
                peer.connect(str(frozen.pool.socket))
                peer.settimeout(4)
            slow.sendall(fastcgi_request(PATH, f"host=cold-{n}.example", KEY))
            os.kill(worker, signal.SIGCONT)
            await_true(lambda: at_the_door(frozen) == 0, 5, "both accepted")
            time.sleep(0.005)  # what is late
            newcomer.sendall(fastcgi_request("/healthz"))
            first, _, _ = select.select([slow, newcomer], [], [], 4)
            assert first and b"Status: 200" in first[0].recv(4096)
            if n > 0 and first == [newcomer]:
                return
    pytest.fail("each time it waited behind the fetch")


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
    assert again.status == 503 and asked(short, host) == asks, "back-off: Chartbeat is left alone"


def test_back_off_grows_with_the_failures_and_ends_with_success(short: Stack, host: str) -> None:
    short.simulator.fault(host, "status", status=500)
    waits = []
    for failures in range(1, 5):
        short.rising(host)
        wait_s, count = short.database.rows(
            "select extract(epoch from next_try - clock_timestamp())::float, failures"
            " from host_status where host = %s",
            host,
        )[0]
        assert count == failures
        waits.append(wait_s)
        short.database.rows("update refreshes set next_try_at = null where host = %s", host)
    assert all(2**n * 0.6 < wait_s < 2**n * 1.4 for n, wait_s in enumerate(waits, 1)), waits
    short.simulator.end_faults(host)
    assert short.rising(host).status == 200
    status = "select failures, next_try from host_status where host = %s"
    assert short.database.rows(status, host) == [(0, None)]


@pytest.mark.parametrize("said, least_s, most_s", [("30", 29, 30), ("99999999", 590, 600)])
def test_retry_after_is_kept_to_and_clamped(
    short: Stack, host: str, said: str, least_s: int, most_s: int
) -> None:
    short.simulator.fault(host, "retry_after", value=said)
    short.rising(host)
    query = (
        "select extract(epoch from next_try - clock_timestamp()) from host_status where host = %s"
    )
    assert least_s <= short.database.value(query, host) <= most_s


def test_too_old_to_serve_is_not_served(short: Stack, host: str) -> None:
    short.turn(host, [page("/", 1)])
    short.simulator.fault(host, "status", status=500)
    await_true(lambda: short.rising(host).status != 200, 5)


def test_the_rate_budget_holds_whatever_the_clients_do(new_stack: Callable[..., Stack]) -> None:
    """12 a minute with a burst of a tenth of that: the third request in a row has to wait."""
    stack = new_stack(UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="100", UPBEAT_RATE_PER_MINUTE="12")
    host = "budget.example"
    answers = [stack.rising(host) for _ in range(20)]
    await_age(stack, host, 150)
    answers += [stack.rising(host) for _ in range(20)]
    assert {answer.status for answer in answers} == {200}
    assert asked(stack, host) <= 3


# Keys


def test_each_key_is_checked_once_and_then_served_from_the_cache(lasting: Stack, host: str) -> None:
    other = KEY.replace("0001", "second")
    lasting.simulator.keys(other, [host])
    for key in (KEY, other, KEY, other):
        assert lasting.rising(host, key).status == 200
    assert asked(lasting, host) == 2
    assert lasting.database.value("select keys from host_status where host = %s", host) == 2


def test_a_refill_uses_the_key_that_was_checked_longest_ago(stale: Stack, host: str) -> None:
    other = KEY.replace("0001", "third")
    stale.simulator.keys(other, [host])
    stale.rising(host)
    stale.rising(host, other)
    for count in (3, 4, 5, 6):
        await_age(stale, host, 150)
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
        assert lasting.rising(host).status == 400
        assert asked(lasting, host) == 2
    finally:
        lasting.simulator.keys(KEY, "*")


def test_a_revoked_key_gives_way_to_another_and_is_then_refused(stale: Stack, host: str) -> None:
    revoked = KEY.replace("0001", "revoked")
    stale.simulator.keys(revoked, [host])
    stale.rising(host, revoked)
    stale.rising(host)
    stale.simulator.keys(revoked, None)

    def refused() -> bool:
        await_age(stale, host, 150)
        assert stale.rising(host).status == 200
        return stale.rising(host, revoked).status == 400

    await_true(refused, 5, "the revoked key refused")
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
