"""The upkeep of the history as a program: once, for ever, and without what it does not need."""

from typing import Callable

import pytest

from servers.history import History
from servers.processes import await_true
from servers.stack import Stack


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_WORKERS="1")


def drop_a_partition_ahead(stack: Stack) -> str:
    stack.database.rows("select make_partitions()")  # the template may be of yesterday
    day = "to_char(now() at time zone 'UTC' + interval '2 days', 'YYYYMMDD')"
    name = stack.database.value(f"select 'snapshots_' || {day}")
    stack.database.rows(f"drop table {name}")
    return f"select to_regclass('{name}') is not null"


@pytest.mark.parametrize("arguments", [[], ["--once"]])
def test_once_does_what_is_due_and_ends(stack: Stack, arguments: list[str]) -> None:
    is_there = drop_a_partition_ahead(stack)
    ended = History(stack).run(*arguments)
    assert ended.returncode == 0 and "partitions made or dropped" in ended.stderr
    assert stack.database.value(is_there)


def test_the_loop_does_it_until_it_is_told_to_stop(stack: Stack) -> None:
    is_there = drop_a_partition_ahead(stack)
    one = History(stack).start("--loop")
    await_true(lambda: stack.database.value(is_there), 20, "the partition")
    assert not one.is_over
    assert one.stop() == 0


def test_it_needs_no_secret(stack: Stack) -> None:
    assert History(stack, UPBEAT_SECRET_FILE="/nowhere").run().returncode == 0


def test_it_can_do_nothing_without_a_database(stack: Stack) -> None:
    ended = History(stack, UPBEAT_DATABASE="host=/nowhere").run()
    assert ended.returncode == 1 and "no connection" in ended.stderr
    assert History(stack, UPBEAT_TTL_MS="x").run().returncode == 2


@pytest.mark.parametrize(
    "arguments, said", [(["--frobnicate"], "no such option"), (["more"], "options only")]
)
def test_bad_options_are_refused(stack: Stack, arguments: list[str], said: str) -> None:
    ended = History(stack).run(*arguments)
    assert ended.returncode == 2 and said in ended.stderr
