"""What an operator sees with psql."""

import hashlib
from typing import Any, Callable

import pytest

from servers.stack import KEY, Stack, page


pytestmark = pytest.mark.once  # it is SQL that is tested here


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


def row(stack: Stack, host: str, columns: str, view: str = "host_status") -> tuple[Any, ...]:
    rows = stack.database.rows(f"select {columns} from {view} where host = %s", host)
    assert len(rows) == 1
    return rows[0]


def test_host_status_of_a_host_that_is_well(stack: Stack, host: str) -> None:
    stack.turn(host, [page("/", 1)])
    columns = (
        "last_snapshot is not null, age < interval '10 s', last_error, failures, next_try, keys"
    )
    assert row(stack, host, columns) == (True, True, None, 0, None, 1)
    requests = stack.simulator.counts()["hosts"][host]
    assert row(stack, host, "requests") == (requests,)


def test_host_status_of_a_host_in_trouble(stack: Stack, host: str) -> None:
    stack.simulator.fault(host, "status", status=500)
    asked_at = stack.database.value("select clock_timestamp()::text")
    stack.rising(host)
    later = f"next_try > '{asked_at}'::timestamptz + interval '1 s'"
    columns = f"last_snapshot, last_error, failures, {later}, keys, requests"
    assert row(stack, host, columns) == (None, "status 500", 1, True, 0, 1)


def test_host_status_of_a_host_whose_key_was_refused(stack: Stack, host: str) -> None:
    stack.rising(host, KEY.replace("0001", "unknown"))
    assert row(stack, host, "last_error, failures, keys, refused_keys") == ("status 401", 0, 0, 1)


def test_increasing_now_is_what_the_endpoint_answers(stack: Stack, host: str) -> None:
    stack.turn(host, [page(f"/{n}", 10) for n in range(20)])
    for table in ("cache", "snapshots"):
        stack.database.rows(f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host)
    stack.simulator.script(host, [page(f"/{n}", 10 + n % 7, f"T{n}") for n in range(20)])
    answer = stack.rising(host)
    query = "select title, path, visitors, change from increasing_now where host = %s order by rank"
    seen = [
        dict(zip(("i", "path", "visitors", "change"), r)) for r in stack.database.rows(query, host)
    ]
    assert seen == answer.json and seen


def test_snapshot_pages_has_each_list_with_the_titles_of_its_time(stack: Stack, host: str) -> None:
    stack.turn(host, [page("/a", 9, "Old"), page("/b", 3)])
    stack.turn(host, [page("/a", 8, "New"), page("/b", 9)])
    query = (
        "select rank, path, title, visitors from snapshot_pages where host = %s order by time, rank"
    )
    assert stack.database.rows(query, host) == [
        (1, "/a", "Old", 9),
        (2, "/b", "Page /b", 3),
        (1, "/b", "Page /b", 9),
        (2, "/a", "New", 8),
    ]


def test_apikey_hosts_shows_eight_digits_and_the_verdict(stack: Stack, host: str) -> None:
    stack.turn(host, [page("/", 1)])
    unknown = KEY.replace("0001", "unknown")
    stack.rising(host, unknown)
    query = "select key, verdict from apikey_hosts where host = %s order by verdict"
    assert stack.database.rows(query, host) == [
        (hashlib.sha256(KEY.encode()).hexdigest()[:8], "accepted"),
        (hashlib.sha256(unknown.encode()).hexdigest()[:8], "refused"),
    ]
