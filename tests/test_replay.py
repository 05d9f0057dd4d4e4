"""Recorded traffic, snapshot by snapshot: every answer equals one computed from the file itself."""

from bisect import bisect_right
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable

import pytest

from servers.stack import Stack

FIRST_S = 20_000
STEP_S = 15
SNAPSHOTS = 200
LIST_ROWS = 100


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack], recorded_traffic: Path) -> Stack:
    return new_stack(
        simulator={
            "source": "replay",
            "traffic": str(recorded_traffic),
            "limit_per_minute": 1000000,
        },
        UPBEAT_TTL_MS="100",
        UPBEAT_STALE_MS="100",
        UPBEAT_RATE_PER_MINUTE="60000",
    )


def concurrents(visits: list[tuple[int, str, str]], second: int) -> dict[str, int]:
    """Distinct visitors of each path in the last five minutes: the most visited LIST_ROWS."""
    visitors = defaultdict(set)
    seconds = [visit[0] for visit in visits]
    for _, visitor, path in visits[
        bisect_right(seconds, second - 300) : bisect_right(seconds, second)
    ]:
        visitors[path].add(visitor)
    rows = sorted(
        ((path, len(who)) for path, who in visitors.items()), key=lambda r: (-r[1], r[0].encode())
    )
    return dict(rows[:LIST_ROWS])


def increase(before: dict[str, int], now: dict[str, int]) -> list[tuple[str, int, int]]:
    rows = [(path, n, n - before[path]) for path, n in now.items() if path in before]
    return sorted((r for r in rows if r[2] > 0), key=lambda r: (-r[2], -r[1], r[0].encode()))


def test_two_hundred_snapshots_in_a_row(stack: Stack, recorded_traffic: Path) -> None:
    visits = []
    for line in recorded_traffic.read_text(encoding="utf-8").splitlines()[1:]:
        second, visitor, path = line.split("\t")
        if FIRST_S - 400 < int(second) <= FIRST_S + SNAPSHOTS * STEP_S:
            visits.append((int(second), visitor, path))
    host, before, rising = "replay.example", None, 0
    for number in range(SNAPSHOTS):
        second = FIRST_S + number * STEP_S
        stack.simulator.replay(host, second)
        now = concurrents(visits, second)
        answer = next_answer(stack, host)
        seen = [(row["path"], row["visitors"], row["change"]) for row in answer]
        expected = increase(before, now) if before is not None else []
        assert seen == expected, f"second {second}"
        before, rising = now, rising + len(seen)
    assert rising > SNAPSHOTS, "the traffic is not that quiet"


def next_answer(stack: Stack, host: str) -> Any:
    """The answer of the next snapshot: the row is made old enough for one."""
    stack.database.rows(
        "update cache set taken_at = taken_at - interval '1 s' where host = %s", host
    )
    answer = stack.rising(host)
    assert answer.status == 200 and "Warning" not in answer.headers, answer
    return answer.json
