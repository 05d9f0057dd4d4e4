"""What Chartbeat may send, and what becomes of it: both forms, every edge case of its answers."""

import json
from typing import Any, Callable

import pytest

from servers.processes import await_true
from servers.stack import Stack, page


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


@pytest.fixture(scope="module")
def legacy(new_stack: Callable[..., Stack]) -> Stack:
    """The list that the prototype called."""
    one = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    one.fetchers.stop()
    one.fetchers.settings["CHARTBEAT_URL"] = one.simulator.upstream_url + "/live/toppages/"
    one.fetchers.start()
    await_true(lambda: one.ask("/readyz").status == 200, 10, "workers that know of them")
    return one


def stored(stack: Stack, host: str) -> list[tuple[Any, ...]]:
    """Path, title, visitors of the newest snapshot, by rank."""
    return stack.database.rows(
        "select path, title, visitors from snapshot_pages p where host = %s"
        " and time = (select max(taken_at) from snapshots s where s.host = p.host) order by rank",
        host,
    )


def v3(*rows: Any) -> str:
    return json.dumps({"pages": list(rows)}, ensure_ascii=False)


def v3_page(path: Any, people: Any, title: Any = "T", **more: Any) -> dict[str, Any]:
    return {"path": path, "title": title, "stats": {"people": people}} | more


ACCEPTED = [
    # name, body, rows (path, title, visitors), refused rows
    ("a plain page", v3(v3_page("/x", 5)), [("/x", "T", 5)], 0),
    ("path with host", v3(v3_page("HOST/x", 5)), [("/x", "T", 5)], 0),
    ("path with scheme", v3(v3_page("https://HOST/x/y", 5)), [("/x/y", "T", 5)], 0),
    ("the bare host", v3(v3_page("HOST/", 5)), [("/", "T", 5)], 0),
    ("the bare host, no slash", v3(v3_page("HOST", 5)), [("/", "T", 5)], 0),
    ("another host", v3(v3_page("blog.HOST/", 5)), [("blog.HOST/", "T", 5)], 0),
    ("a query is kept", v3(v3_page("/x?a=1&b=2", 5)), [("/x?a=1&b=2", "T", 5)], 0),
    ("a fragment is dropped", v3(v3_page("/x#y", 5)), [("/x", "T", 5)], 0),
    (
        "the same path twice: sum, title of the larger",
        v3(v3_page("/x", 5, "small"), v3_page("https://HOST/x", 7, "large")),
        [("/x", "large", 12)],
        0,
    ),
    ("no pages: a quiet site", v3(), [], 0),
    ("a byte-order mark is skipped", "\ufeff" + v3(v3_page("/x", 5)), [("/x", "T", 5)], 0),
    (
        "visits where people is absent",
        v3({"path": "/x", "title": "T", "stats": {"visits": 4}}),
        [("/x", "T", 4)],
        0,
    ),
    ("no stats: refused", v3({"path": "/x", "title": "T"}, v3_page("/y", 1)), [("/y", "T", 1)], 1),
    ("no title", v3({"path": "/x", "stats": {"people": 3}}), [("/x", "", 3)], 0),
    ("a null title", v3(v3_page("/x", 3, None)), [("/x", "", 3)], 0),
    ("a count as a string", v3(v3_page("/x", "17")), [("/x", "T", 17)], 0),
    (
        "a whole float",
        '{"pages":[{"path":"/x","title":"T","stats":{"people":17.0}}]}',
        [("/x", "T", 17)],
        0,
    ),
    ("a negative count: refused", v3(v3_page("/x", -1), v3_page("/y", 1)), [("/y", "T", 1)], 1),
    ("beyond 32 bits: refused", v3(v3_page("/x", 2**32), v3_page("/y", 1)), [("/y", "T", 1)], 1),
    (
        "1e999: refused",
        '{"pages":[{"path":"/x","stats":{"people":1e999}},{"path":"/y","stats":{"people":1}}]}',
        [("/y", "", 1)],
        1,
    ),
    ("NaN as text: refused", v3(v3_page("/x", "NaN"), v3_page("/y", 1)), [("/y", "T", 1)], 1),
    ("no path: refused", v3({"title": "T", "stats": {"people": 3}}, v3_page("/y", 1)), [("/y", "T", 1)], 1),
    ("a number for a path: refused", v3(v3_page(7, 3), v3_page("/y", 1)), [("/y", "T", 1)], 1),
    ("a row that is no object: refused", v3(7, "x", None, v3_page("/y", 1)), [("/y", "T", 1)], 3),
    (
        "names in another case are other names",
        '{"pages":[{"PATH":"/x","path":"/y","stats":{"people":2}}]}',
        [("/y", "", 2)],
        0,
    ),
    (
        "emoji, right-to-left, entities",
        v3(v3_page("/x", 5, "🔥 \u202eדיווח &amp; <b>")),
        [("/x", "🔥 \u202eדיווח &amp; <b>", 5)],
        0,
    ),
    ("any path in UTF-8", v3(v3_page("/café/日本", 5)), [("/caf%C3%A9/%E6%97%A5%E6%9C%AC", "T", 5)], 0),
]


@pytest.mark.parametrize("name, body, rows, refused", ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_v3(stack: Stack, host: str, name: str, body: str, rows: Any, refused: int) -> None:
    stack.turn(host, body=body.replace("HOST", host))
    assert stored(stack, host) == [(path.replace("HOST", host), title, n) for path, title, n in rows]
    refreshes = stack.simulator.counts()["hosts"][host]  # one, or on a busy machine another one by the clock
    found = stack.database.value("select refused_rows from host_status where host = %s", host)
    assert found in {refused * count for count in range(1, refreshes + 1)}


def test_control_characters_of_a_title_become_spaces_or_are_kept_out_of_the_way(
    stack: Stack, host: str
) -> None:
    body = v3(v3_page("/x", 5, "a\tb\nc\rd\x01e\x7f"), v3_page("/y", 3))
    stack.turn(host, body=body)
    (first, title, count), second = stored(stack, host)
    assert (first, count, second) == ("/x", 5, ("/y", "T", 3))
    assert all(letter in title for letter in "abcde")
    stack.turn(host, body=body.replace('"people": 5', '"people": 9'))
    assert stored(stack, host)[0][2] == 9


def test_a_refused_row_is_logged_once_an_answer(stack: Stack, host: str) -> None:
    stack.turn(host, body=v3(v3_page("/x", -1), v3_page("/y", -2), v3_page("/z", 1)))
    lines = await_true(
        lambda: [line for line in stack.fetchers.text().splitlines() if host in line and "rows refused" in line]
    )
    assert len(lines) == 1 and "2 of 3" in lines[0]


LEGACY = [
    ("a plain page", [{"i": "T", "path": "/x", "visitors": 40}], [("/x", "T", 40)]),
    ("no pages", [], []),
    ("no title", [{"path": "/x", "visitors": 4}], [("/x", "", 4)]),
    ("a count as a string", [{"i": "T", "path": "//x.example/x", "visitors": "4"}], [("x.example/x", "T", 4)]),
    (
        "twice",
        [{"i": "a", "path": "/", "visitors": 9}, {"i": "b", "path": "/", "visitors": 4}],
        [("/", "a", 13)],
    ),
]


@pytest.mark.parametrize("name, body, rows", LEGACY, ids=[row[0] for row in LEGACY])
def test_legacy(legacy: Stack, host: str, name: str, body: Any, rows: Any) -> None:
    legacy.turn(host, body=json.dumps(body))
    assert stored(legacy, host) == rows


def test_a_full_answer_of_either_form_gives_the_same_list(
    stack: Stack, legacy: Stack, host: str
) -> None:
    pages = [page(f"/{n}", 200 - n, f"Title {n}") for n in range(100)]
    stack.turn(host, pages)
    legacy.turn(host, pages)
    assert stored(stack, host) == stored(legacy, host)
    assert len(stored(stack, host)) == 100


BAD = [
    "html_200",
    "error_200",
    "empty_body",
    "not_json",
    "trailing_junk",
    "maintenance",
    "pages_missing",
    "pages_null",
    "deep_nesting",
    "cut",
    "too_large",
    "gzip_bomb",
    "redirect",
    "close",
    "status",
]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_answer_changes_no_row_and_is_logged_with_host_reason_and_size(
    stack: Stack, host: str, kind: str
) -> None:
    stack.turn(host, [page("/a", 1)])
    stack.turn(host, [page("/a", 2)])
    before = stack.database.rows(
        "select count(*), max(taken_at) from snapshots where host = %s", host
    )
    refreshes = "select requests from host_status where host = %s"
    good = stack.database.value(refreshes, host)
    if kind == "error_200":
        stack.simulator.script(host, body='{"error": "over quota"}')
    else:
        stack.simulator.script(host, [page("/a", 3)])
        stack.simulator.fault(host, kind)
    stack.outdate(host)
    await_true(lambda: stack.rising(host).headers.get("Warning", "").startswith("111"), 5)
    answer = stack.rising(host)
    assert (answer.status, [row["visitors"] for row in answer.json]) == (200, [2])
    snapshots = "select count(*), max(taken_at) from snapshots where host = %s"
    assert stack.database.rows(snapshots, host) == before
    failures, error, next_try = stack.database.rows(
        "select failures, last_error, next_try from host_status where host = %s", host
    )[0]
    tries = stack.database.value(refreshes, host) - good  # one; on a busy machine another, after the first back-off
    assert failures == tries and error and next_try

    def said() -> list[str]:
        return [line for line in stack.fetchers.text().splitlines() if host in line and "Chartbeat" in line]

    await_true(lambda: any("bytes" in line for line in said()), 5, "the size in the log")
