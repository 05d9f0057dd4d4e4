"""What holds for any two lists and any title."""

import json
import os
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.stack import Stack, page

EXAMPLES = int(os.environ.get("UPBEAT_EXAMPLES", "60"))
PROFILE: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "max_examples": EXAMPLES,
    "suppress_health_check": list(HealthCheck),
}
HOST = "properties.example"

PATHS = st.sampled_from([f"/{name}" for name in ["", "a", "b", "A", "%C3%A9", "%E6%97%A5", "a?x=1", "~", "zz"]])
LISTS = st.dictionaries(PATHS, st.integers(0, 2**31 - 1) | st.integers(0, 5), max_size=9)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=60
) | st.sampled_from(
    ["=1+1", "a,b", 'q"q', "</script>", "\u2028", "'", "🔥", "\u202e", "\\", "a\\u0041"]
)


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(
        simulator={"limit_per_minute": 1000000},
        UPBEAT_TTL_MS="60000",
        UPBEAT_STALE_MS="60000",
        UPBEAT_RATE_PER_MINUTE="60000",
    )


def reference(before: dict[str, int], after: dict[str, int]) -> list[tuple[str, int, int]]:
    rows = [(path, n, n - before[path]) for path, n in after.items() if n > before.get(path, n)]
    return sorted(rows, key=lambda row: (-row[2], -row[1], row[0].encode()))


@settings(**PROFILE)
@given(LISTS, LISTS)
def test_the_increase_of_any_two_lists_is_that_of_the_reference(
    stack: Stack, before: dict[str, int], after: dict[str, int]
) -> None:
    for one in (before, after):
        stack.turn(HOST, [page(path, visitors) for path, visitors in one.items()])
    answer = stack.rising(HOST).json
    assert [(r["path"], r["visitors"], r["change"]) for r in answer] == reference(before, after)


@settings(**PROFILE)
@given(st.permutations([(f"/{n}", n % 3) for n in range(8)]))
def test_the_order_of_rows_from_chartbeat_is_irrelevant(stack: Stack, rows: Any) -> None:
    stack.turn(HOST, [page(path, n) for path, n in rows])
    stack.turn(HOST, [page(path, n + 2) for path, n in reversed(rows)])
    order = [(r["change"], r["visitors"], r["path"]) for r in stack.rising(HOST).json]
    assert order == sorted(order, key=lambda r: (-r[0], -r[1], r[2].encode())) and len(order) == 8


@settings(**PROFILE)
@given(TEXT)
def test_json_csv_and_jsonp_give_any_title_back(stack: Stack, title: str) -> None:
    stack.turn(HOST, [page("/x", 1, title)])
    stack.turn(HOST, [page("/x", 2, title)])
    assert stack.rising(HOST).json[0]["i"] == title
    script = stack.rising(HOST, callback="f").body.decode()
    assert "\u2028" not in script and "</" not in script
    assert json.loads(script[len("/**/f(") : -3])[0]["i"] == title
    cell = stack.rising(HOST, format="csv").csv[1][0]
    assert cell == ("'" + title if title[0] in "=+-@\t\r" else title)
