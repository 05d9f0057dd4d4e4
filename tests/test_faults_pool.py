"""The fault matrix: what happens to workers and to who talks to them. A test a row."""

import contextlib
import os
import random
import resource
import signal
import socket
import struct
import threading
import time
from typing import Callable

import pytest

from servers.burst import Reply
from servers.load import Load
from servers.processes import allow_s, await_true
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


def whole(stack: Stack) -> bool:
    return len(stack.pool.workers()) == WORKERS


def parked(stack: Stack, host: str, clients: int) -> tuple[threading.Thread, list[list[Reply]]]:
    """Clients that wait for a new host, for which Chartbeat takes its time."""
    stack.simulator.fault(host, "slow", latency_ms=2000, times=1)
    replies: list[list[Reply]] = []
    thread = threading.Thread(target=lambda: replies.append(stack.crowd([host] * clients)))
    thread.start()
    stack.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
    await_true(lambda: stack.waiting() == clients, 2, "all of them waiting")
    return thread, replies


class Asking(threading.Thread):
    """One request in a thread; `status` when it is over."""

    def __init__(self, stack: Stack, host: str) -> None:
        super().__init__()
        self._stack, self._host, self.status = stack, host, 0
        self.start()

    def run(self) -> None:
        self.status = self._stack.rising(self._host).status


def test_however_many_wait_who_does_not_have_to_is_served(new_stack: Callable[..., Stack]) -> None:
    clients = 400
    alone = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS="1")
    assert alone.rising(HOST).status == 200
    alone.simulator.fault("cold.example", "hang")
    crowd = threading.Thread(target=lambda: alone.crowd(["cold.example"] * clients))
    crowd.start()
    try:
        await_true(lambda: alone.waiting() == clients, 2.4, "all of them waiting")
        assert alone.rising(HOST).status == 200
        assert alone.waiting() == clients, "it waited behind them"
    finally:
        crowd.join()


def test_worker_kill_9_idle(stack: Stack, measured: Callable[[str], None]) -> None:
    for victim in stack.pool.workers():
        os.kill(victim, signal.SIGKILL)
        assert stack.rising(HOST).status == 200
    killed_s = time.monotonic()
    await_true(lambda: whole(stack), 1, "a full pool")
    measured(f"only 200; full pool after {time.monotonic() - killed_s:.2f} s")


@pytest.mark.once
def test_worker_kill_9_with_parked_requests(stack: Stack, measured: Callable[[str], None]) -> None:
    """These are 502; the refresh goes on and is stored, for one request to Chartbeat in all."""
    cold = "cold.example"
    thread, replies = parked(stack, cold, 40)
    for victim in stack.pool.workers():  # all, since one of them may hold everything that waits
        os.kill(victim, signal.SIGKILL)
    killed_s = time.monotonic()
    await_true(lambda: whole(stack), 1, "a full pool")
    whole_s = time.monotonic() - killed_s
    assert stack.rising(HOST).status == 200
    thread.join()
    statuses = [reply.status for reply in replies[0]]
    assert set(statuses) <= {200, 502} and 502 in statuses
    assert stack.rising(cold).status == 200
    assert stack.simulator.counts()["hosts"][cold] == 1
    assert stack.database.value("select count(*) from snapshots where host = %s", cold) == 1
    measured(f"{statuses.count(502)} of 40 that waited 502, the refresh stored; full pool after {whole_s:.2f} s")


@pytest.mark.unhurried
@pytest.mark.once
def test_worker_sigstop(stack: Stack, measured: Callable[[str], None]) -> None:
    """What it holds is 504 when nginx gives it up, and so is what nginx sends on a connection that it had kept to it;
    others are served, and the refresh is stored."""
    cold, clients = "cold.example", 8
    thread, replies = parked(stack, cold, 20)
    victim = stack.pool.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    stopped_s = time.monotonic()
    try:
        with Load(stack, HOST, clients=clients, pause_s=0.02) as load:
            stored = "select count(*) from snapshots where host = %s"
            await_true(lambda: stack.database.value(stored, cold) == 1, 5, "the refresh")
            back_s = time.monotonic() - stopped_s
            thread.join()
            await_true(lambda: stack.rising(cold).status == 200, 5, "the new host, past connections that were kept")
            load.await_more(200)
        statuses = [reply.status for reply in replies[0]]
        assert set(statuses) <= {200, 504}
        assert load.statuses() <= {200, 504} and load.count(504) <= clients
    finally:
        os.kill(victim, signal.SIGCONT)
    measured(f"{statuses.count(504)} of 20 that waited 504, others 200; its refresh stored after {back_s:.1f} s")


def cpu_s(pid: int) -> float:
    fields = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.once
def test_accept_without_a_descriptor_to_spare(
    new_stack: Callable[..., Stack], measured: Callable[[str], None]
) -> None:
    """A worker that may open no more files does not spin, serves those that it has, and accepts once it can."""
    stack = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_WORKERS="1")
    assert stack.rising(HOST).status == 200
    (worker,) = stack.pool.workers()
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (32, 32))
    peers = []
    try:
        for _ in range(64):
            peers.append(socket.socket(socket.AF_UNIX))
            peers[-1].connect(str(stack.pool.socket))
        time.sleep(0.2)  # until it has accepted as many as it can, which nobody can see
        before_s, from_s = cpu_s(worker), time.monotonic()
        time.sleep(1)  # it is a rate that is looked at
        share = (cpu_s(worker) - before_s) / (time.monotonic() - from_s)
        assert share < 0.3, f"it spins: {share:.0%} of a core"
    finally:
        for peer in peers:
            peer.close()
    back_s = time.monotonic()
    await_true(lambda: stack.rising(HOST).status == 200, 5, "an answer")
    assert stack.pool.workers() == [worker]
    assert len(stack.pool.text()) < 20_000, "it fills its log"
    measured(f"{share:.0%} of a core meanwhile; 200 {time.monotonic() - back_s:.2f} s after")


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
    assert gone_s - told_s < allow_s(5)
    assert [asking.status for asking in taken] == [200, 200]
    assert {status for at_s, took_s, status in load.answers if at_s + took_s < told_s} == {200}
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


def fastcgi(path: str) -> bytes:
    """A request as nginx sends it, with fastcgi_keep_conn."""
    words = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": path, "UPBEAT_FRONTED": "on"}
    params = b"".join(bytes([len(name), len(value)]) + f"{name}{value}".encode() for name, value in words.items())
    begin = struct.pack(">BBHHBxHB5x", 1, 1, 1, 8, 0, 1, 1)
    ends = struct.pack(">BBHHBx", 1, 4, 1, 0, 0) + struct.pack(">BBHHBx", 1, 5, 1, 0, 0)
    return begin + struct.pack(">BBHHBx", 1, 4, 1, len(params), 0) + params + ends


def test_a_peer_that_connects_to_a_pool_and_asks_when_it_is_told_to_stop(stack: Stack) -> None:
    """As nginx does that the system lets wait between the two: it would answer 502."""
    with contextlib.ExitStack() as stays:
        peers = [stays.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(WORKERS * 4)]
        for peer in peers:
            peer.settimeout(8)
            peer.connect(str(stack.pool.socket))
        for worker in stack.pool.workers():
            os.kill(worker, signal.SIGTERM)
        time.sleep(0.3)  # until a worker would see no reason to wait longer, which nobody can see
        for peer in peers:
            peer.sendall(fastcgi("/healthz"))
        for peer in peers:
            assert b"\r\n\r\nok\n" in peer.recv(1000)
    await_true(lambda: whole(stack), 5, "new workers")


def test_20_worker_crashes_in_10_s(stack: Stack, measured: Callable[[str], None]) -> None:
    with Load(stack, HOST) as load:
        for _ in range(20):
            victims = await_true(stack.pool.workers, 2)
            with contextlib.suppress(ProcessLookupError):  # one that was killed before, and is not forgotten yet
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
        assert time.monotonic() - started_s < allow_s(4)
        measured(
            f"only 200, slowest {load.slowest_s():.2f} s; closed within {time.monotonic() - started_s:.1f} s"
        )
        assert load.statuses() == {200}
        assert load.slowest_s() < allow_s(1), "nobody waits behind them"
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
