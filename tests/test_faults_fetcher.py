"""The fault matrix: what happens to the fetchers, which alone ask Chartbeat. A test a row."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from servers import unreachable
from servers.burst import Reply
from servers.fetchers import Fetchers
from servers.load import Load
from servers.processes import allow_s, await_true
from servers.stack import Stack, page

HOST = "known.example"
COLD = "cold.example"
WAIT_MAX_S = 2.5  # of a request that can't be answered without Chartbeat
REACHED_S = 0.6  # more than it takes to be told, on a machine that is busy
FRESH = "select clock_timestamp() - taken_at < interval '5 s' from cache where host = %s"
SNAPSHOTS = "select count(*) from snapshots where host = %s"

pytestmark = pytest.mark.once


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """With the settings as they come; HOST has a row of 20 s, which waits for its refresh and may be served stale."""
    one = new_stack()
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    make_older(one, HOST, 20)
    return one


def make_older(stack: Stack, host: str, seconds: int) -> None:
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - %s * interval '1 s' where host = %s", seconds, host
        )


def in_background(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Its result is in the list when the thread is over."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def in_flight(stack: Stack, count: int) -> None:
    stack.simulator.await_counts(lambda counts: counts["in_flight"] == count)


def asked(stack: Stack, host: str) -> int:
    return int(stack.simulator.counts()["hosts"].get(host, 0))


def parked(stack: Stack, hosts: list[str]) -> tuple[threading.Thread, list[list[Reply]]]:
    """Clients that wait for Chartbeat, which takes its time with these hosts."""
    for host in set(hosts):
        stack.simulator.fault(host, "slow", latency_ms=2400, times=1)
    thread, replies = in_background(lambda: stack.crowd(hosts))
    in_flight(stack, len(set(hosts)))
    await_true(lambda: stack.waiting() == len(hosts), 2, "all of them waiting")
    return thread, replies


def without_a_fetcher(stack: Stack) -> str:
    """What holds while there is none; what a new host is told."""
    began_s = time.monotonic()
    known = stack.rising(HOST)
    assert known.status == 200 and known.headers["Warning"].startswith("11")
    cold = stack.rising(COLD)
    assert cold.status == 503 and int(cold.headers["Retry-After"]) >= 1
    assert "fetch" in cold.json["detail"].lower(), cold.json
    assert time.monotonic() - began_s < allow_s(2 * WAIT_MAX_S + REACHED_S)
    await_true(lambda: stack.ask("/readyz").status == 503, 2, "that it is not ready")
    assert stack.ask("/healthz").status == 200
    assert asked(stack, COLD) == 0
    return str(cold.json["detail"])


def with_a_fetcher_again(stack: Stack, within_s: float = 1 + REACHED_S) -> float:
    from_s = time.monotonic()
    await_true(lambda: stack.ask("/readyz").status == 200, within_s, "ready")
    await_true(lambda: stack.rising(COLD).status == 200, within_s, "the new host")
    return time.monotonic() - from_s


@pytest.mark.unhurried
def test_fetcher_kill_9_in_the_middle_of_a_fetch(stack: Stack, measured: Callable[[str], None]) -> None:
    """Those that wait are answered at once, not at their time-out; the lease is orphaned, for 6 s at most."""
    thread, replies = parked(stack, [HOST] * 20 + [COLD] * 20)
    stack.fetchers.send(signal.SIGKILL)
    killed_s = time.monotonic()
    thread.join()
    told_s = time.monotonic() - killed_s
    assert [reply.status for reply in replies[0]] == [200] * 20 + [503] * 20
    assert all(int(reply.header("Retry-After")) >= 1 for reply in replies[0][20:])
    assert told_s < allow_s(REACHED_S)
    await_true(stack.fetchers.is_whole, 1, "the successors")
    for host in (HOST, COLD):
        await_true(lambda: stack.rising(host).status == 200 and stack.database.value(FRESH, host), 8, host)
    back_s = time.monotonic() - killed_s
    assert back_s < allow_s(7)
    assert [stack.database.value(SNAPSHOTS, host) for host in (HOST, COLD)] == [2, 1]
    measured(f"stale 200, new host 503 after {told_s:.2f} s; both hosts fresh after {back_s:.1f} s")


@pytest.mark.parametrize("number", [0, 1])
def test_fetcher_sigstop_of_one_of_two(stack: Stack, number: int, measured: Callable[[str], None]) -> None:
    """Whether it is the one that is asking or the other one: no request fails but of the host that nobody knows."""
    thread, replies = parked(stack, [HOST] * 5)
    victim = stack.fetchers.pids()[number]
    os.kill(victim, signal.SIGSTOP)
    stopped_s = time.monotonic()
    try:
        thread.join()
        assert {reply.status for reply in replies[0]} == {200}
        with Load(stack, HOST, clients=2, pause_s=0.05) as load:
            await_true(lambda: stack.database.value(FRESH, HOST), 8, "a refresh by the other one")
            back_s = time.monotonic() - stopped_s
            assert stack.rising(COLD).status == 200
        assert back_s < allow_s(7) and load.statuses() == {200}
        measured(f"stale 200; fresh by the other one after {back_s:.1f} s")
    finally:
        os.kill(victim, signal.SIGCONT)
    assert stack.rising(COLD).status == 200
    assert stack.database.value("select count(*) = count(distinct taken_at) from snapshots where host = %s", HOST)


@pytest.mark.unhurried
def test_fetcher_sigstop_of_both(stack: Stack, measured: Callable[[str], None]) -> None:
    stack.fetchers.send(signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        assert stack.rising(HOST).status == 200
        assert stack.rising(COLD).status == 503
        told_s = time.monotonic() - began_s
        assert told_s < allow_s(2 * (WAIT_MAX_S + REACHED_S))
    finally:
        stack.fetchers.send(signal.SIGCONT)
    back_s = with_a_fetcher_again(stack)
    measured(f"stale 200, new host 503, together {told_s:.1f} s; 200 {back_s:.2f} s after SIGCONT")


def test_no_fetcher_at_all(stack: Stack, measured: Callable[[str], None]) -> None:
    assert not stack.fetchers.stop()
    detail = without_a_fetcher(stack)
    stack.fetchers.start()
    back_s = with_a_fetcher_again(stack)
    measured(f'stale 200, new host 503 "{detail}"; 200 {back_s:.2f} s after it is there')


class OtherVersion:
    """A fetcher that answers whatever it is sent with a message of a version that nobody knows."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(100)
        self._listener.settimeout(0.1)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self.connections = 0

    def _serve(self) -> None:
        kept = []
        while not self._over.is_set():
            try:
                peer, _ = self._listener.accept()
                peer.sendall(b"\xff" * 640)
                self.connections += 1
                kept.append(peer)
            except OSError:
                continue
        for peer in kept:
            peer.close()

    def __enter__(self) -> "OtherVersion":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self._listener.close()


def test_a_fetcher_of_another_version(stack: Stack, measured: Callable[[str], None]) -> None:
    """It counts as none; and it is not asked again all the time."""
    assert not stack.fetchers.stop()
    with OtherVersion(stack.fetchers.socket) as other:
        detail = without_a_fetcher(stack)
        count, from_s = other.connections, time.monotonic()
        time.sleep(1)  # it is a rate that is looked at
        rate_per_s = (other.connections - count) / (time.monotonic() - from_s)
        assert rate_per_s < 20 * (stack.pool.count + stack.reports.count)
    stack.fetchers.start()
    back_s = with_a_fetcher_again(stack)
    measured(f'stale 200, new host 503 "{detail}"; 200 {back_s:.2f} s after the right one is there')


def namespaces() -> list[str]:
    """The words that give a command its own network and mounts, for whoever we are; [] where that may not be."""
    words = ["unshare", "--net", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else []


@pytest.fixture
def unresolved(stack: Stack) -> Iterator[Stack]:
    """Its fetchers ask a name whose nameserver never answers."""
    words = namespaces()
    if not words:
        pytest.skip("namespaces are not allowed here")
    stack.rising("fresh.example")
    assert not stack.fetchers.stop()
    settings = {"CHARTBEAT_URL": "http://chartbeat.example/live/toppages/v3/"}
    stack.fetchers = Fetchers(stack.folder, stack.fetchers.settings | settings)
    helper = str(Path(unreachable.__file__))
    stack.fetchers.prefix = [*words, sys.executable, helper, str(stack.folder / "resolv.conf")]
    stack.fetchers.start()
    yield stack


@pytest.mark.unhurried
def test_the_resolver_hangs(unresolved: Stack, measured: Callable[[str], None]) -> None:
    """Each try ends within 4 s, however many there are at a time, and nobody else notices."""
    cold = [f"cold-{n}.example" for n in range(5)]
    failed = "select count(*) from host_status where failures > 0 and host like 'cold-%'"
    await_true(lambda: unresolved.ask("/readyz").status == 200, 5, "ready")
    began_s = time.monotonic()

    def ask(host: str) -> int:
        """Until a fetcher is told: a worker that does not know the new ones yet says at once that there are none."""
        tried = "select count(*) from refreshes where host = %s"
        return await_true(lambda: unresolved.rising(host).status * unresolved.database.value(tried, host))

    with Load(unresolved, "fresh.example", clients=2, pause_s=0.02) as load, ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(ask, host) for host in cold]
        assert unresolved.rising(HOST).status == 200
        assert {answer.result() for answer in answers} <= {502, 503, 504}
        told_s = time.monotonic() - began_s
        await_true(lambda: unresolved.database.value(failed) == len(cold), 15, "the ends of the tries")
        ended_s = time.monotonic() - began_s
        load.await_more(20)
    assert told_s < allow_s(WAIT_MAX_S + REACHED_S)
    assert ended_s < allow_s(4 + REACHED_S)
    assert load.statuses() == {200} and load.quantile_s(0.5) < allow_s(0.5)
    measured(f"stale 200, new hosts told after {told_s:.1f} s; each try ended within {ended_s:.1f} s")


def test_every_fetcher_replaced_one_by_one_under_load(stack: Stack, measured: Callable[[str], None]) -> None:
    """As an upgrade does it."""
    old = stack.fetchers.pids()
    with Load(stack, HOST, clients=4, pause_s=0.01) as load:
        for fetcher in old:
            os.kill(fetcher, signal.SIGTERM)
            await_true(lambda: fetcher not in stack.fetchers.pids(), 6, "the old one gone")
            await_true(stack.fetchers.is_whole, 2, "a new one")
            make_older(stack, HOST, 20)
            load.await_more(30)
            await_true(lambda: stack.database.value(FRESH, HOST), 7, "a refresh")
    assert load.statuses() == {200}
    assert not set(old) & set(stack.fetchers.pids())
    measured(f"0 of {len(load.answers)} requests failed")
