"""The pool as its operator sees it: start, stop, drain, replacement, under load and without."""

import os
import signal
import threading
import time
from typing import Any, Callable

import pytest

from servers.processes import await_true
from servers.stack import Stack, page

HOST = "pool.example"


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    one = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    return one


class Load:
    """Clients that ask all the time; `answers` are (second of the start, status or what went wrong)."""

    def __init__(self, stack: Stack, clients: int = 8) -> None:
        self.answers: list[tuple[float, Any]] = []
        self._stack, self._over = stack, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.is_set():
            started_s = time.monotonic()
            try:
                self.answers.append((started_s, self._stack.rising(HOST).status))
            except OSError as fault:
                self.answers.append((started_s, repr(fault)))

    def statuses(self, before_s: float = float("inf")) -> set[Any]:
        return {status for started_s, status in self.answers if started_s < before_s}

    def await_more(self, count: int) -> None:
        aim = len(self.answers) + count
        await_true(lambda: len(self.answers) >= aim, 20, f"{count} more answers")

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        self.await_more(50)
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_a_worker_killed_while_idle_is_replaced_and_nobody_notices(stack: Stack) -> None:
    for victim in stack.pool.workers():
        os.kill(victim, signal.SIGKILL)
        assert stack.rising(HOST).status == 200
    await_true(lambda: len(stack.pool.workers()) == 4, 2, "a full pool")


def test_every_worker_replaced_one_by_one_under_load_fails_no_request(stack: Stack) -> None:
    old = stack.pool.workers()
    with Load(stack) as load:
        for worker in old:
            os.kill(worker, signal.SIGTERM)
            await_true(lambda: worker not in stack.pool.workers(), 5, "the old one gone")
            await_true(lambda: len(stack.pool.workers()) == 4, 5, "a new one")
            load.await_more(30)
    assert load.statuses() == {200}
    assert not set(old) & set(stack.pool.workers())


@pytest.mark.parametrize("sign", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_its_request(stack: Stack, sign: int) -> None:
    """Each worker has a request under way that takes half a second of Chartbeat's."""
    stack.simulator.fault("slow.example", "slow", latency_ms=500)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(stack.rising("slow.example").status))
    thread.start()
    stack.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
    for worker in stack.pool.workers():
        os.kill(worker, sign)
    thread.join()
    assert answers == [200]


def test_hang_up_is_harmless(stack: Stack) -> None:
    before = stack.pool.workers()
    for worker in before:
        os.kill(worker, signal.SIGHUP)
    assert stack.rising(HOST).status == 200 and stack.pool.workers() == before


def test_the_pool_drains_on_term_under_load_and_answers_what_it_took(stack: Stack) -> None:
    """Who comes when it is gone hears 502 until the next one is there; nobody else."""
    with Load(stack) as load:
        told_s = time.monotonic()
        assert stack.pool.stop() == 0
        gone_s = time.monotonic()
        stack.pool.start()
        load.await_more(50)
    assert gone_s - told_s < 5
    assert load.statuses(before_s=told_s) == {200}
    assert load.statuses() <= {200, 502}
    assert stack.pool.text().count("drained") >= 4


def test_a_pool_restarted_on_the_same_socket_serves_again(stack: Stack) -> None:
    assert stack.pool.stop() == 0
    answer = stack.rising(HOST)
    assert answer.status == 502 and int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    stack.pool.start()
    assert stack.rising(HOST).status == 200


def test_workers_leave_no_core_and_no_key_in_their_titles(stack: Stack) -> None:
    for worker in stack.pool.workers():
        limits = open(f"/proc/{worker}/limits", encoding="ascii").read()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]
        title = open(f"/proc/{worker}/cmdline", "rb").read()
        assert title.count(b"\0") == 1 and b"leak" not in title
