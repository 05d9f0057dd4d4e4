"""The pool as its operator sees it: start, stop, signals. Under faults: test_faults_pool.py."""

import os
import signal
import threading
from typing import Callable

import pytest

from servers.stack import Stack, page

HOST = "pool.example"


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    one = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    return one


@pytest.mark.parametrize("sign", [signal.SIGUSR1, signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_its_request(stack: Stack, sign: int) -> None:
    """Each worker has a request under way that takes a second of Chartbeat's."""
    stack.simulator.fault("slow.example", "slow", latency_ms=1000)
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
