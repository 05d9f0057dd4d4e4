"""How the workers of a pool share the work: connections to the first of them, refills to the others."""

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

from servers.load import Load
from servers.processes import await_true
from servers.stack import Stack, page

WORKERS = 4
CLIENTS = 8
LATER = 6 * CLIENTS
AGED = "select clock_timestamp() - taken_at > interval '600 ms' from cache where host = %s"


@pytest.fixture(scope="module")
def fresh(new_stack: Callable[..., Stack]) -> Stack:
    """Its rows stay fresh: nobody has anything to do but to answer."""
    return new_stack(
        UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS=str(WORKERS)
    )


@pytest.fixture(scope="module")
def stale(new_stack: Callable[..., Stack]) -> Stack:
    """Rows are stale soon and stay servable for long."""
    return new_stack(UPBEAT_TTL_MS="500", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS=str(WORKERS))


def sockets_of(worker: int) -> set[int]:
    """Inodes; none where it has just gone."""
    found = set()
    try:
        for link in Path(f"/proc/{worker}/fd").iterdir():
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            found |= {int(match[1])} if match else set()
    except OSError:
        pass
    return found


def connections(stack: Stack) -> dict[int, int]:
    """Of each worker that has any, how many of nginx's connections."""
    accepted = set()
    for line in Path("/proc/net/unix").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[-1] == str(stack.pool.socket) and words[5] == "03":  # connected
            accepted.add(int(words[6]))
    counts = {worker: len(sockets_of(worker) & accepted) for worker in stack.pool.workers()}
    return {worker: count for worker, count in counts.items() if count}


def of_rank(stack: Stack, rank: int) -> int | None:
    """Who holds the lock of this rank; None: nobody, at this moment."""
    inode = os.stat(Path(stack.pool.settings["UPBEAT_RUN_DIR"]) / f"rank.{rank}").st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].split(":")[2] == str(inode):
            return int(words[4])
    return None


def the_one_that_serves(stack: Stack) -> int:
    """Once all connections have gathered there: a worker that was killed has a successor, who is first again."""
    found = await_true(
        lambda: counts if set(counts := connections(stack)) == {of_rank(stack, 0)} else None,
        5,
        "one that serves",
    )
    return next(iter(found))


def test_connections_gather_at_one_worker_and_go_on_elsewhere_when_it_is_killed(
    fresh: Stack, host: str
) -> None:
    fresh.rising(host)
    with Load(fresh, host, clients=CLIENTS) as load:
        for _ in range(2):
            load.await_more(100)
            victim = the_one_that_serves(fresh)
            load.await_more(100)
            assert the_one_that_serves(fresh) == victim, "and stay there"
            os.kill(victim, signal.SIGKILL)
            load.await_more(2 * CLIENTS)
        after_s = time.monotonic()
        load.await_more(200)
    assert load.statuses() <= {200, 502} and load.statuses(after_s) == {200}
    assert load.count(502) <= 2 * CLIENTS, "no more than what the killed ones held"


def test_while_the_one_that_serves_is_frozen_others_serve(fresh: Stack, host: str) -> None:
    """Who has a request with it waits for it, and so does who meets an idle connection to it: of these there are no
    more than others had clients. All others are answered."""
    fresh.rising(host)
    with Load(fresh, host, clients=4 * CLIENTS) as load:
        load.await_more(200)
        victim = the_one_that_serves(fresh)
        os.kill(victim, signal.SIGSTOP)
        with Load(fresh, host, clients=LATER) as later:
            try:
                later.await_more(400)
            finally:
                os.kill(victim, signal.SIGCONT)
    assert load.statuses() == {200}, "even those that it held: it came to before nginx gave it up"
    assert later.statuses() == {200}
    assert sum(took_s > 0.5 for _, took_s, _ in later.answers) <= 4 * CLIENTS


def test_a_refill_is_done_by_another_worker_than_the_one_that_serves(
    stale: Stack, host: str
) -> None:
    """Chartbeat takes a second; meanwhile the worker that serves goes on, for other hosts too."""
    other = f"other-{host}"
    stale.simulator.script(host, [page("/", 1)])
    for one in (host, other):
        stale.rising(one)
    with Load(stale, other, clients=2, pause_s=0.002) as load:
        load.await_more(50)
        serving = the_one_that_serves(stale)
        await_true(lambda: stale.database.value(AGED, host), 5, "a stale row")
        stale.simulator.fault(host, "slow", latency_ms=1000, times=1)
        assert stale.rising(host).headers["Warning"].startswith("110")
        stale.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        from_s = time.monotonic()
        for _ in range(10):
            assert stale.rising(host).status == 200
        load.await_more(50)
        asked = stale.simulator.counts()
        assert asked["in_flight"] >= 1, "it is still under way"
        assert set(connections(stale)) == {serving}, "it has given nobody away"
        until_s = time.monotonic()
    assert load.statuses() == {200}
    assert load.slowest_s(from_s, until_s) < 0.3, "nobody waited for Chartbeat"
    assert load.quantile_s(0.5, from_s) < 0.05


def test_a_refill_that_a_frozen_worker_was_told_to_do_is_done_by_another(stale: Stack, host: str) -> None:
    """The last by rank is told first; who asks a little later has the next one told."""
    stale.rising(host)
    frozen = of_rank(stale, WORKERS - 1)
    assert frozen
    os.kill(frozen, signal.SIGSTOP)
    try:
        for _ in range(3):
            await_true(lambda: stale.database.value(AGED, host), 5, "a stale row")
            began_s = time.monotonic()
            with Load(stale, host, clients=1, pause_s=0.02):
                await_true(lambda: not stale.database.value(AGED, host), 5, "the refill")
            assert time.monotonic() - began_s < 2
    finally:
        os.kill(frozen, signal.SIGCONT)


@pytest.mark.parametrize("workers", [2, WORKERS])
def test_a_host_that_is_asked_for_seldom_is_refilled_although_the_first_that_is_told_is_frozen(
    new_stack: Callable[..., Stack], host: str, workers: int
) -> None:
    """The next time another one is told, however long after the first; or the one that serves does it, where there is
    no other. Each that serves learns of it by itself."""
    stack = new_stack(UPBEAT_TTL_MS="500", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS=str(workers))
    stack.rising(host)
    frozen = of_rank(stack, workers - 1)
    assert frozen
    os.kill(frozen, signal.SIGSTOP)
    try:
        await_true(lambda: stack.database.value(AGED, host), 5, "a stale row")
        for _ in range(workers + 1):
            stack.rising(host)
            time.sleep(1.2)
        assert len(stack.simulator.requests(host)) > 1, "only the frozen one was told"
    finally:
        os.kill(frozen, signal.SIGCONT)


def test_hosts_that_are_found_old_at_the_same_time_are_refilled_by_as_many_workers(stale: Stack, host: str) -> None:
    """One worker would take a second for each. The others are frozen until all have been told what to do."""
    hosts = [f"{number}.{host}" for number in range(WORKERS // 2)]
    for one in hosts:
        assert stale.rising(one).status == 200
        stale.simulator.fault(one, "slow", latency_ms=1000, times=1)
    with Load(stale, host, clients=CLIENTS) as load:  # on connections that nginx keeps
        load.await_more(20 * CLIENTS)
        serving = the_one_that_serves(stale)
    await_true(lambda: all(stale.database.value(AGED, one) for one in hosts), 5, "stale rows")
    workers = stale.pool.workers()
    with ThreadPoolExecutor(len(hosts)) as clients:
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        try:
            answers = [clients.submit(stale.rising, one) for one in hosts]
            time.sleep(0.3)  # until both have come to it, which nobody can see
            os.kill(serving, signal.SIGCONT)
            assert {answer.result().status for answer in answers} == {200}
        finally:
            for worker in workers:
                os.kill(worker, signal.SIGCONT)
    stale.simulator.await_counts(lambda counts: counts["in_flight"] == len(hosts))
    stale.simulator.await_counts(lambda counts: counts["in_flight"] == 0)


def test_where_the_first_that_is_told_has_too_much_to_do_another_is(stale: Stack, host: str) -> None:
    """A frozen one takes as many as its socket holds; who serves need not do the rest."""
    queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text(encoding="ascii"))
    if queue > 100:
        pytest.skip(f"its socket holds {queue} orders here")
    hosts = [f"{number}.{host}" for number in range(queue + 2)]
    for one in hosts:
        assert stale.rising(one).status == 200
        stale.simulator.fault(one, "slow", latency_ms=1000, times=1)
    frozen = of_rank(stale, WORKERS - 1)
    assert frozen
    os.kill(frozen, signal.SIGSTOP)
    try:
        await_true(lambda: all(stale.database.value(AGED, one) for one in hosts), 5, "stale rows")
        with Load(stale, host, clients=2, pause_s=0.002) as load:
            load.await_more(20)
            serving = the_one_that_serves(stale)
            for one in hosts:
                stale.rising(one)
            stale.simulator.await_counts(lambda counts: counts["in_flight"] > 0)
            load.await_more(20)
            assert set(connections(stale)) == {serving}, "it has given nobody away"
    finally:
        os.kill(frozen, signal.SIGCONT)
    stale.simulator.await_counts(lambda counts: counts["in_flight"] == 0)


def test_the_row_of_a_copy_is_refilled_at_the_end_of_its_ttl_without_another_request(
    new_stack: Callable[..., Stack], host: str
) -> None:
    """A copy keeps its worker from hearing of those who ask; the row is new before the copy ends."""
    stack = new_stack(cached=True, UPBEAT_TTL_MS="1500", UPBEAT_WORKERS=str(WORKERS))
    stack.simulator.script(host, [page("/", 1)])
    taken = "select taken_at from cache where host = %s"
    time.sleep((1.1 - time.time() % 1) % 1)  # so that the TTL ends in the middle of a second
    stack.rising(host)
    first = stack.database.value(taken, host)
    ends_in_s = float(
        stack.database.value(
            "select extract(epoch from taken_at + interval '1.5 s' - clock_timestamp())"
            " from cache where host = %s",
            host,
        )
    )
    # In the second in which the TTL ends, and before it does.
    ends_s = time.time() + ends_in_s
    time.sleep(max(int(ends_s) - time.time(), 0) + 0.005)
    stack.rising(host)
    await_true(
        lambda: stack.database.value(taken, host) != first, ends_s - time.time() + 0.5, "the refill"
    )
