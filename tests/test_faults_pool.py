"""The fault matrix: what happens to workers and to who talks to them. A test a row."""

import os
import random
import signal
import socket
import threading
import time
from typing import Callable

import pytest

from servers.load import Load
from servers.processes import await_true
from servers.stack import Stack, page

HOST = "pool.example"
WORKERS = 4


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """Its rows stay fresh, so that nothing but the fault is at work."""
    one = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS=str(WORKERS))
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    return one


@pytest.fixture
def refilling(new_stack: Callable[..., Stack]) -> Stack:
    """With the settings as they come; its upstream takes 2.5 s, within the time-out."""
    one = new_stack(UPBEAT_WORKERS=str(WORKERS))
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    age(one, 20)
    one.simulator.fault(HOST, "slow", latency_ms=2500, times=1)
    return one


def age(stack: Stack, seconds: int) -> None:
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - %s * interval '1 s'", seconds
        )


def whole(stack: Stack) -> bool:
    return len(stack.pool.workers()) == WORKERS


def fetching(stack: Stack) -> int:
    """The worker that holds a slot for a request to Chartbeat."""
    inodes = {os.stat(file).st_ino for file in stack.folder.glob("blocked*")}
    workers = stack.pool.workers()

    def find() -> int:
        with open("/proc/locks", encoding="ascii") as locks:
            for line in locks:
                fields = line.split()
                inode = int(fields[-3].rsplit(":", 1)[1]) if "->" not in fields else 0
                if fields[1] == "FLOCK" and inode in inodes and int(fields[4]) in workers:
                    return int(fields[4])
        return 0

    stack.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
    return await_true(find, 5, "a worker with a slot")


class Asking(threading.Thread):
    """One request in a thread; `status` when it is over."""

    def __init__(self, stack: Stack, host: str) -> None:
        super().__init__()
        self._stack, self._host, self.status = stack, host, 0
        self.start()

    def run(self) -> None:
        self.status = self._stack.rising(self._host).status


def test_worker_kill_9_idle(stack: Stack, measured: Callable[[str], None]) -> None:
    for victim in stack.pool.workers():
        os.kill(victim, signal.SIGKILL)
        assert stack.rising(HOST).status == 200
    killed_s = time.monotonic()
    await_true(lambda: whole(stack), 1, "a full pool")
    measured(f"only 200; full pool after {time.monotonic() - killed_s:.2f} s")


@pytest.mark.once
def test_worker_kill_9_in_the_middle_of_a_fetch(
    refilling: Stack, measured: Callable[[str], None]
) -> None:
    """That one request is 502, others get the last known; the lease runs out after 6 s at most."""
    its = Asking(refilling, HOST)
    os.kill(fetching(refilling), signal.SIGKILL)
    killed_s = time.monotonic()
    with Load(refilling, HOST, clients=2, pause_s=0.02) as load:
        its.join()
        fresh = "select clock_timestamp() - taken_at < interval '5 s' from cache where host = %s"
        await_true(lambda: refilling.database.value(fresh, HOST), 8, "the next refill")
    assert its.status in (200, 502), "nginx may ask another worker"
    assert load.statuses() == {200}
    assert time.monotonic() - killed_s < 7
    back_s = time.monotonic() - killed_s
    measured(f"its request {its.status}, others 200; refilled after {back_s:.1f} s")
    assert refilling.simulator.counts()["hosts"][HOST] == 3
    assert whole(refilling)


@pytest.mark.once
def test_worker_sigstop(refilling: Stack, measured: Callable[[str], None]) -> None:
    """Its request is 504 when nginx gives it up; others are served, and the lease runs out."""
    its = Asking(refilling, HOST)
    victim = fetching(refilling)
    os.kill(victim, signal.SIGSTOP)
    stopped_s = time.monotonic()
    try:
        with Load(refilling, HOST, clients=2, pause_s=0.02) as load:
            fresh = (
                "select clock_timestamp() - taken_at < interval '5 s' from cache where host = %s"
            )
            await_true(lambda: refilling.database.value(fresh, HOST), 8, "the next refill")
            back_s = time.monotonic() - stopped_s
            assert back_s < 7
            its.join()
        assert load.statuses() == {200}
        assert its.status == 504
        measured(f"its request 504, others 200; refilled after {back_s:.1f} s")
    finally:
        os.kill(victim, signal.SIGCONT)
    snapshots = "select count(*), count(distinct taken_at) from snapshots where host = %s"
    (count, distinct) = refilling.database.rows(snapshots, HOST)[0]
    assert count == distinct


def test_sigterm_to_the_pool_under_load(stack: Stack, measured: Callable[[str], None]) -> None:
    """Who was taken is answered, within 5 s; who comes when it is gone hears 502."""
    cold = ["cold-1.example", "cold-2.example"]
    for host in cold:
        stack.simulator.script(host, [page("/", 1)])
        stack.simulator.fault(host, "slow", latency_ms=1500, times=1)
    with Load(stack, HOST) as load:
        load.await_more(50)
        taken = []
        for host in cold:
            taken.append(Asking(stack, host))
            stack.simulator.await_counts(lambda counts: counts["in_flight"] == len(taken))
        told_s = time.monotonic()
        assert stack.pool.stop() == 0
        gone_s = time.monotonic()
        for asking in taken:
            asking.join()
        stack.pool.start()
        load.await_more(50)
    assert gone_s - told_s < 5
    assert [asking.status for asking in taken] == [200, 200]
    # A client that began a moment before may have reached nginx when the pool was gone.
    assert load.statuses(before_s=told_s - 0.5) <= {200}
    assert load.statuses() <= {200, 502}
    assert stack.pool.text().count("drained") >= WORKERS
    measured(f"0 failed of those taken; drained in {gone_s - told_s:.2f} s")


def test_every_worker_replaced_one_by_one_under_load(
    stack: Stack, measured: Callable[[str], None]
) -> None:
    old = stack.pool.workers()
    with Load(stack, HOST) as load:
        load.await_more(50)
        for worker in old:
            os.kill(worker, signal.SIGTERM)
            await_true(lambda: worker not in stack.pool.workers(), 5, "the old one gone")
            await_true(lambda: whole(stack), 5, "a new one")
            load.await_more(30)
    assert load.statuses() == {200}
    assert not set(old) & set(stack.pool.workers())
    measured(f"0 of {len(load.answers)} requests failed")


def test_20_worker_crashes_in_10_s(stack: Stack, measured: Callable[[str], None]) -> None:
    with Load(stack, HOST) as load:
        for _ in range(20):
            victims = await_true(stack.pool.workers, 2)
            os.kill(random.choice(victims), signal.SIGKILL)
            load.await_more(20)
        await_true(lambda: whole(stack), 2, "a full pool")
        load.await_more(20)
    assert load.statuses() <= {200, 502}
    assert load.count(502) <= 20 * 4, "no more than what the killed ones held"
    measured(f"{load.count(502)} of {len(load.answers)} requests 502, the others 200")


def test_a_fastcgi_peer_that_sends_half_a_record_and_hangs(
    stack: Stack, measured: Callable[[str], None]
) -> None:
    peers = []
    try:
        for _ in range(WORKERS * 4):
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(str(stack.pool.socket))
            peer.sendall(b"\x01\x01\x00\x01")
            peers.append(peer)
        started_s = time.monotonic()
        with Load(stack, HOST, clients=4, pause_s=0.005) as load:
            for peer in peers:
                peer.settimeout(8)
                try:
                    assert peer.recv(100) == b""
                except ConnectionResetError:
                    pass
        assert time.monotonic() - started_s < 4
        measured(
            f"only 200, slowest {load.slowest_s():.2f} s; closed within {time.monotonic() - started_s:.1f} s"
        )
        assert load.statuses() == {200}
        assert load.slowest_s() < 1, "nobody waits behind them"
    finally:
        for peer in peers:
            peer.close()


def test_a_fastcgi_record_with_absurd_lengths(stack: Stack) -> None:
    """Whoever may connect to the socket can hurt a worker (libfcgi aborts), and nobody else."""
    begin = b"\x01\x01\x00\x01\x00\x08\x00\x00" + b"\x00\x01\x00\x00\x00\x00\x00\x00"
    huge = b"\xff\xff\xff\xff" * 2
    params = b"\x01\x04\x00\x01\x00" + bytes([len(huge)]) + b"\x00\x00" + huge
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(stack.pool.socket))
        peer.sendall(begin + params)
        peer.settimeout(8)
        try:
            peer.recv(1000)
        except OSError:
            pass
    await_true(lambda: whole(stack), 2, "a full pool")
    assert stack.rising(HOST).status == 200
    assert oct(os.stat(stack.pool.socket).st_mode & 0o777) == "0o660"
