"""The fault matrix: what happens when Chartbeat does not answer as it should. A test a row.

Bad answers of other kinds (cut short, bad UTF-8, nesting, HTML, …): test_parsing.py."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest

from servers.load import Load
from servers.processes import allow_s, await_true, build_folder, free_port
from servers.stack import Stack, page

@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """With the settings as they come."""
    return new_stack()


def age(stack: Stack, seconds: int) -> None:
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - %s * interval '1 s'", seconds
        )


def warm(stack: Stack, *hosts: str) -> None:
    for host in hosts:
        stack.simulator.script(host, [page("/", 1)])
        assert stack.rising(host).status == 200


def next_try_s(stack: Stack, host: str) -> float:
    query = (
        "select extract(epoch from next_try - clock_timestamp())::float"
        " from host_status where host = %s"
    )
    return await_true(lambda: stack.database.value(query, host), 5, "a back-off")


def asked(stack: Stack, host: str) -> int:
    return int(stack.simulator.counts()["hosts"].get(host, 0))


def test_upstream_refused(stack: Stack, measured: Callable[[str], None]) -> None:
    """Nobody listens there any more, then somebody does again."""
    warm(stack, "warm.example")
    age(stack, 20)
    url = f"http://127.0.0.1:{free_port()}/live/toppages/v3/"
    assert not stack.fetchers.stop()
    real, stack.fetchers.settings["CHARTBEAT_URL"] = stack.fetchers.settings["CHARTBEAT_URL"], url
    stack.fetchers.start()
    with Load(stack, "warm.example", clients=4, pause_s=0.01) as load:
        load.await_more(100)
        cold = stack.rising("cold.example")
    assert cold.status == 503 and 1 <= int(cold.headers["Retry-After"]) <= 60
    assert load.statuses() == {200}
    assert next_try_s(stack, "warm.example") <= 60
    measured(f"stale 200; a new host 503 + Retry-After: {cold.headers['Retry-After']}")
    assert not stack.fetchers.stop()
    stack.fetchers.settings["CHARTBEAT_URL"] = real
    stack.fetchers.start()
    # The longer that took, the longer is the back-off.
    await_true(lambda: "Warning" not in stack.rising("warm.example").headers, 60, "fresh again")
    assert stack.rising("cold.example").status in (200, 503)


def test_upstream_whose_name_does_not_resolve(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(CHARTBEAT_URL="http://upbeat.invalid/live/toppages/v3/")
    answer = stack.rising("cold.example")
    assert answer.status in (503, 504) and int(answer.headers["Retry-After"]) >= 1


@pytest.mark.unhurried
def test_upstream_hangs_for_one_host(stack: Stack, measured: Callable[[str], None]) -> None:
    """Its stale answer comes at once, and other hosts don't notice."""
    warm(stack, "bad.example", "good.example")
    with Load(stack, "good.example", clients=4, pause_s=0.005) as before:
        before.await_more(400)
    age(stack, 20)
    stack.simulator.fault("bad.example", "hang")
    began_s = time.monotonic()
    stack.rising("bad.example")  # this one tries, and waits for it
    with Load(stack, "bad.example", clients=2, pause_s=0.01) as bad:
        with Load(stack, "good.example", clients=4, pause_s=0.005) as good:
            bad.await_more(200)
            good.await_more(400)
    assert bad.statuses() | good.statuses() == {200}
    assert bad.quantile_s(0.5) < allow_s(0.05)
    measured(
        f"stale 200 in {bad.quantile_s(0.5) * 1000:.0f} ms (median); other hosts' p99"
        f" {before.quantile_s(0.99) * 1000:.0f} ms before, {good.quantile_s(0.99) * 1000:.0f} ms meanwhile"
    )
    # A tenth of a second, since a machine can be absent for a moment; who waits for Chartbeat waits for three or more.
    assert good.quantile_s(0.99) < allow_s(5 * before.quantile_s(0.99) + 0.1)
    # The first list, a try of 3 s, and after a back-off of 2 s, 4 s ... the next ones.
    assert asked(stack, "bad.example") <= 3 + (time.monotonic() - began_s) // 7


@pytest.mark.unhurried
def test_upstream_hangs_for_all_hosts(stack: Stack) -> None:
    """No worker waits: what is stale is served, what needs no fetch is answered."""
    hosts = [f"hang{n}.example" for n in range(20)]
    warm(stack, *hosts)
    age(stack, 20)
    stack.simulator.fault("*", "hang")
    with ThreadPoolExecutor(20) as pool:
        first = list(pool.map(lambda host: stack.rising(host).status, hosts))
        assert set(first) == {200}
        calls = pool.map(lambda n: stack.rising(f"cold{n}.example").status, range(20))
        started_s = time.monotonic()
        for _ in range(20):
            assert stack.ask("/healthz").status == 200
        assert time.monotonic() - started_s < allow_s(2), "a worker is free"
        assert set(calls) <= {503, 504}
    query = "select extract(epoch from max(next_try) - clock_timestamp())::float from host_status"
    # That of the first hosts may be over when the tries for the others are not.
    assert 0 < await_true(lambda: stack.database.value(query), 5, "a back-off") <= 60


@pytest.mark.parametrize("said, least_s, most_s", [("30", 28, 30), ("999999999", 590, 600)])
def test_429_with_retry_after(
    stack: Stack, host: str, said: str, least_s: int, most_s: int
) -> None:
    warm(stack, host)
    age(stack, 5)
    stack.simulator.fault(host, "retry_after", value=said)
    with Load(stack, host, clients=2, pause_s=0.01) as load:
        assert least_s <= next_try_s(stack, host) <= most_s
        load.await_more(100)
    assert load.statuses() == {200}
    assert asked(stack, host) == 2


@pytest.mark.parametrize("kind", ["drip", "cut", "too_large", "gzip_bomb"])
def test_an_answer_that_never_ends_or_is_too_large(stack: Stack, host: str, kind: str) -> None:
    """Stale meanwhile, no bad row, and no fetcher grows over 64 MB."""
    warm(stack, host)
    age(stack, 5)
    stack.simulator.fault(host, kind)
    with Load(stack, host, clients=2, pause_s=0.01) as load:
        next_try_s(stack, host)
        load.await_more(20)
    assert load.statuses() == {200}
    assert stack.database.value("select count(*) from snapshots where host = %s", host) == 1
    if build_folder().name == "release":
        assert max(peak_kb(fetcher) for fetcher in stack.fetchers.pids()) < 64 * 1024


def peak_kb(pid: int) -> int:
    """The largest resident memory that the process has had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


LATENCY_MS = 300


def crowd(stack: Stack, targets: list[str], measured: Callable[[str], None]) -> None:
    """All are answered 200, for one request to Chartbeat and one snapshot a host; how fast is tests/bench/crowd's."""
    hosts = sorted({target.partition("&")[0] for target in targets})
    for host in hosts:
        stack.simulator.fault(host, "slow", latency_ms=LATENCY_MS, times=1)
    replies = stack.crowd(targets)
    assert {reply.status for reply in replies} == {200}
    assert [asked(stack, host) for host in hosts] == [1] * len(hosts)
    snapshots = "select count(*) from snapshots where host = %s"
    assert [stack.database.value(snapshots, host) for host in hosts] == [1] * len(hosts)
    slowest_s = max(reply.took_s for reply in replies)
    measured(f"all {len(replies)} 200 within {slowest_s:.2f} s, of them {LATENCY_MS / 1000} s Chartbeat; 1 call a host")


def test_500_clients_at_once_on_one_cold_host(
    stack: Stack, host: str, measured: Callable[[str], None]
) -> None:
    crowd(stack, [host] * 500, measured)


def test_500_clients_with_different_queries_on_one_cold_host(
    stack: Stack, host: str, measured: Callable[[str], None]
) -> None:
    crowd(stack, [f"{host}&limit={n + 1}" for n in range(500)], measured)


def test_20_cold_hosts_with_10_clients_each(stack: Stack, host: str, measured: Callable[[str], None]) -> None:
    crowd(stack, [f"{n % 20}.{host}" for n in range(200)], measured)


@pytest.mark.once
def test_1000_clients_on_50_cold_hosts(stack: Stack, host: str, measured: Callable[[str], None]) -> None:
    crowd(stack, [f"{n % 50}.{host}" for n in range(1000)], measured)


def test_wrong_or_revoked_key_and_guessing(stack: Stack, host: str) -> None:
    """Refused alike, whether nobody knows the key or it is remembered as refused."""
    warm(stack, host)
    key = "leak-me-not-wrong-1"
    first = stack.rising(host, key)
    again = [stack.rising(host, key) for _ in range(5)]
    assert {answer.status for answer in [first, *again]} == {400}
    assert len({drop_id(answer.json) for answer in [first, *again]}) == 1
    assert asked(stack, host) == 2


def drop_id(problem: dict[str, Any]) -> str:
    return str({name: value for name, value in problem.items() if name != "request_id"})
