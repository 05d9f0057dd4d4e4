"""nginx's own copies of answers: the same answers, to the same keys, and never for long."""

import contextlib
import resource
import time
from typing import Any, Callable

import pytest

from servers.processes import await_true, children_of
from servers.stack import KEY, Answer, Stack, page

DESCRIPTORS = 1024  # of a process of nginx, as Debian's systemd starts it


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(cached=True, UPBEAT_WORKERS="4")


def fill(stack: Stack, host: str) -> None:
    """Two snapshots, the second of them fresh for three seconds."""
    stack.simulator.script(host, [page(f"/{n}", n) for n in range(1, 6)])
    assert stack.rising(host).status == 200
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host
        )
    stack.simulator.script(host, [page(f"/{n}", 2 * n) for n in range(1, 6)])
    # What the first request left is good to the end of its second, and a second more.
    await_true(lambda: (answer := stack.rising(host)).status == 200 and answer.json, 5, "the second snapshot")


def hits(stack: Stack) -> int:
    """Requests that no worker saw."""
    return stack.nginx.logs[0].read_text().count("upstream=-s")


def test_a_copy_is_served_by_nginx_alone_and_is_the_same(stack: Stack, host: str) -> None:
    fill(stack, host)
    before = hits(stack)
    answers = [stack.rising(host) for _ in range(200)]
    await_true(lambda: hits(stack) > before + 50, 5, "hits in the log")
    assert {answer.status for answer in answers} == {200}
    assert (
        len(
            {
                answer.body
                for answer in answers
                if answer.headers["ETag"] == answers[0].headers["ETag"]
            }
        )
        == 1
    )
    for name in ("ETag", "Cache-Control", "Last-Modified", "X-Snapshot-Interval"):
        assert answers[-1].headers[name], name
    words = ", ".join(answers[-1].headers.get_all("Cache-Control")).split(", ")
    assert "private" in words
    assert len({word.split("=")[0] for word in words}) == len(words) == 4
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 200
    assert answers[-1].headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Accel-Expires" not in answers[-1].headers


def test_a_copy_goes_to_no_other_key(stack: Stack, host: str) -> None:
    fill(stack, host)
    for _ in range(20):
        assert stack.rising(host).status == 200
        assert stack.rising(host, KEY + "-wrong").status == 400
        assert stack.ask(host=host).status == 401
        assert stack.ask(host=host, apikey=KEY + "-wrong").status == 400


def test_each_form_of_an_answer_has_a_copy_of_its_own(stack: Stack, host: str) -> None:
    fill(stack, host)
    for _ in range(10):
        assert stack.rising(host).headers["Content-Type"] == "application/json"
        assert stack.rising(host, headers={"Accept": "text/csv"}).body.startswith(b"i,path,")
        assert stack.rising(host, callback="f").body.startswith(b"/**/f(")
        assert len(stack.rising(host, limit=1).json) <= 1
        head = stack.rising(host, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert stack.rising(host, method="POST").status == 405


def test_a_copy_answers_304(stack: Stack, host: str) -> None:
    fill(stack, host)
    before = stack.simulator.counts()["hosts"][host]

    def same() -> bool:
        etag = stack.rising(host).headers["ETag"]
        answer = stack.rising(host, headers={"If-None-Match": etag})
        return answer.status == 304 and answer.body == b""

    count = sum(same() for _ in range(50))
    refills = stack.simulator.counts()["hosts"][host] - before
    assert count >= 50 - max(refills, 2), "but for a refill in between"


@pytest.mark.unhurried
@pytest.mark.once
def test_no_answer_is_older_than_ttl_and_what_refilling_takes(stack: Stack, host: str) -> None:
    fill(stack, host)
    oldest: list[Any] = []
    until_s = time.monotonic() + 9
    while time.monotonic() < until_s:
        asked_ms = time.time() * 1000  # how long the answer takes on a busy machine is another matter
        answer: Answer = stack.rising(host)
        assert answer.status == 200
        taken_ms = int(answer.headers["ETag"][1:].split("-")[0], 16) / 1000
        oldest.append(asked_ms - taken_ms)
        time.sleep(0.01)
    assert max(oldest) < 3000 + 2000 + 500, "the TTL, the copy's two seconds, a refill"
    asked = stack.simulator.counts()["hosts"][host]
    assert asked <= 2 + 9 / 3 + 1


def test_errors_are_not_copied(stack: Stack, host: str) -> None:
    stack.simulator.fault(host, "status", status=500, times=1)
    assert stack.rising(host).status == 502
    stack.database.rows("update refreshes set next_try_at = null where host = %s", host)
    # For a moment a worker says itself what came of the last try.
    await_true(lambda: stack.rising(host).status == 200, 3, "an answer of another kind")


def test_files_with_keys_are_for_nginx_alone(stack: Stack, host: str) -> None:
    fill(stack, host)
    cache = stack.folder / "cache"
    files = [file for file in cache.rglob("*") if file.is_file()]
    assert files
    for place in [cache, *files]:
        with contextlib.suppress(FileNotFoundError):  # a copy has a name of its own until it is whole
            assert place.stat().st_mode & 0o077 == 0, place


@pytest.mark.once
def test_copies_leave_nginx_the_descriptors_that_connections_need(stack: Stack, host: str) -> None:
    fill(stack, host)
    for worker in children_of(stack.nginx.pid):
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    # More copies than nginx has descriptors, each asked for again while nginx would still have it open.
    targets = [f"{host}&limit={number}" for number in range(1, 3 * DESCRIPTORS)]
    for _ in range(2):
        for first in range(0, len(targets), 64):
            answers = stack.crowd(targets[first : first + 64])
            assert {answer.status for answer in answers} == {200}, first
