"""/api/v1.0/trends over HTTP: every figure again from psql's views, parameters, keys, headers."""

import math
import statistics
from datetime import datetime, timedelta
from typing import Any, Callable

import pytest

from servers.stack import KEY, KEY_MARK, Answer, Stack, page

PATH = "/api/v1.0/trends"
PAGES = 20


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """One worker and a long TTL: what it has kept stays what it answers with."""
    return new_stack(UPBEAT_WORKERS="1", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="120000")


def trends(stack: Stack, host: str, key: str = KEY, **more: Any) -> Answer:
    return stack.ask(PATH, headers={"X-CB-AK": key} | more.pop("headers", {}), host=host, **more)


def seed(
    stack: Stack,
    host: str,
    minutes: int,
    counts: Callable[[int, float], int],
    limit: int = 100,
    every_s: int = 60,
) -> None:
    """A known host with a past, its newest snapshot a moment ago; counts(page, minutes before that)."""
    stack.simulator.script(host, [page(f"/p{n}", counts(n, 0)) for n in range(PAGES)])
    assert stack.rising(host).status == 200
    stack.database.rows("delete from snapshots where host = %s", host)
    newest = stack.database.value("select taken_at from cache where host = %s", host)
    ids = dict(stack.database.rows("select path, page_id from pages where host = %s", host))
    for step in range(minutes * 60 // every_s):
        listed = sorted(
            ((counts(n, step * every_s / 60), n) for n in range(PAGES)),
            key=lambda row: (-row[0], row[1]),
        )[:limit]
        stack.database.rows(
            "insert into snapshots (host, taken_at, row_limit, page_ids, visitors)"
            " values (%s, %s, %s, %s::int[], pack_counts(%s))",
            host,
            newest - timedelta(seconds=step * every_s),
            limit,
            [ids[f"/p{n}"] for _, n in listed],
            [count for count, _ in listed],
        )


def steady(number: int, _: float) -> int:
    return 30 + 3 * number


def rising(number: int, before: float) -> int:
    """/p3 has a hundred more since two minutes; all wander, and swap places."""
    wander = (number * 7 + int(before * 4) * 3) % 11
    return steady(number, 0) + wander + (100 if number == 3 and before < 3 else 0)


def growing(number: int, before: float) -> int:
    """The whole site grows by a half within the hour, too."""
    return int(rising(number, before) * (1.5 - 0.5 * min(before, 60) / 60))


def total(means: list[float], limit: int, cutoff: float) -> float:
    return sum(means) - (cutoff * max(0, len(means) - limit) if cutoff > 0 else 0)


def by_hand(
    stack: Stack, host: str, as_of: datetime, window_s: int, limit: int
) -> tuple[float, dict[str, dict[str, Any]]]:
    """The score, from page_minutes and snapshot_pages alone: the tide, and each page."""
    start = as_of - timedelta(seconds=window_s)
    end = as_of - timedelta(seconds=min(max(window_s / 15, 60), 300))
    minutes: dict[datetime, dict[str, float]] = {}
    cutoffs: dict[datetime, float] = {}
    for minute, path, visitors, cutoff in stack.database.rows(
        "select minute, path, visitors::float, cutoff::float from page_minutes"
        " where host = %s and minute >= %s and minute + interval '1 minute' <= %s",
        host,
        start,
        end,
    ):
        minutes.setdefault(minute, {})[path] = visitors
        cutoffs[minute] = cutoff
    lists: dict[datetime, dict[str, int]] = {}
    for at, path, visitors in stack.database.rows(
        "select time, path, visitors from snapshot_pages"
        " where host = %s and time > %s and time <= %s",
        host,
        end,
        as_of,
    ):
        lists.setdefault(at, {})[path] = visitors
    least = {at: min(one.values()) if len(one) >= limit else 0 for at, one in lists.items()}
    recent_cutoff = statistics.fmean(least.values())
    paths = {path for one in [*minutes.values(), *lists.values()] for path in one}
    r = {
        path: statistics.fmean(one.get(path, least[at]) for at, one in lists.items())
        for path in paths
    }
    now = {path for one in lists.values() for path in one}
    site = total([r[path] for path in now], limit, recent_cutoff)
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        raw = [one.get(path, cutoffs[minute]) for minute, one in minutes.items()]
        scaled = [
            value
            * (site / total([*one.values()], limit, cutoffs[minute]) if window_s >= 3600 else 1)
            for value, (minute, one) in zip(raw, minutes.items(), strict=True)
        ]
        b = statistics.median(scaled)
        found[path] = {
            "b": b,
            "mad": statistics.median(abs(value - b) for value in scaled),
            "visitors": r[path],
            "change": r[path] - statistics.median(raw),
            "baseline_minutes": len(minutes),
            "new": path in now and not any(path in one for one in minutes.values()),
            "always": all(path in one for one in [*minutes.values(), *lists.values()]),
        }
    always = sorted(
        (row["visitors"] / row["b"], row["b"]) for row in found.values() if row["always"]
    )
    tide = 1.0
    if len(always) >= 10:
        below, half = 0.0, sum(weight for _, weight in always) / 2
        for ratio, weight in always:
            below += weight
            if below >= half:
                tide = ratio
                break
    for row in found.values():
        row["expected"] = tide * row["b"]
        row["sigma"] = max(1.4826 * row["mad"], math.sqrt(row["expected"] + 1))
        row["score"] = (row["visitors"] - row["expected"]) / row["sigma"]
        row["ratio"] = row["visitors"] / row["expected"]
    return tide, found


FIGURES = [
    # name, window, seconds between samples, rows of a full list, counts
    ("short lists", 1800, 60, 100, rising),
    ("four samples a minute", 1800, 15, 100, rising),
    ("full lists", 1800, 15, 15, rising),
    ("an hour of a site that grows", 3600, 15, 15, growing),
]


@pytest.mark.parametrize("is_rolled_up", [False, True])
@pytest.mark.parametrize(
    "name, window_s, every_s, limit, counts", FIGURES, ids=[row[0] for row in FIGURES]
)
def test_every_figure_is_that_of_psql(
    stack: Stack,
    name: str,
    window_s: int,
    every_s: int,
    limit: int,
    counts: Callable[[int, float], int],
    is_rolled_up: bool,
) -> None:
    host = f"{name.replace(' ', '-')}-{is_rolled_up}.example".lower()
    seed(stack, host, window_s // 60 + 10, counts, limit, every_s)
    if is_rolled_up:
        stack.database.rows("update history_progress set slot = null, host = null")
        while stack.database.value("select roll_up(50)"):
            pass
        assert stack.database.value("select count(*) from minutes where host = %s", host) > 1
    answer = trends(
        stack, host, window=f"{window_s}s", direction="both", min_score="0", min_visitors="0"
    )
    assert answer.status == 200, answer
    said = answer.json
    as_of = datetime.fromisoformat(said["as_of"].replace("Z", "+00:00")) + timedelta(milliseconds=1)
    tide, wanted = by_hand(stack, host, as_of, window_s, limit)
    assert (said["warming"], said["stale"], said["window_s"]) == (False, False, window_s)
    assert said["site"]["tide"] == pytest.approx(tide, abs=1e-4)
    assert said["pages"][0]["path"] == "/p3"
    for row in said["pages"]:
        for member in "visitors expected sigma score change ratio baseline_minutes new".split():
            assert row[member] == pytest.approx(wanted[row["path"]][member], abs=2e-3), (
                row,
                member,
            )
        assert row["i"] == f"Page {row['path']}"


def test_a_row_has_all_that_it_was_made_from(stack: Stack) -> None:
    host = "row.example"
    seed(stack, host, 40, rising)
    said = trends(stack, host).json
    assert [row["path"] for row in said["pages"]] == ["/p3"]
    row = said["pages"][0]
    assert set(row) == set(
        "i path visitors change expected ratio score sigma baseline_minutes rank rank_change new lower_bound"
        " first_seen sections sources".split()
    )
    assert row["rank"] == 1 and row["rank_change"] > 10 and not row["new"]
    assert set(said) == set(
        "host as_of stale warming window_s recent_s coverage samples site pages".split()
    )
    assert set(said["site"]) == {"visitors", "expected", "tide"}


def test_a_steady_site_has_no_rows_and_a_young_one_is_warming(stack: Stack) -> None:
    seed(stack, "steady.example", 40, steady)
    said = trends(stack, "steady.example", direction="both").json
    assert (said["pages"], said["warming"], said["coverage"]) == (
        [],
        False,
        pytest.approx(1, abs=0.04),
    )
    stack.simulator.script("young.example", [page("/", 5)])
    answer = trends(stack, "young.example")
    assert answer.status == 200 and answer.json["warming"] and answer.json["pages"] == []
    assert answer.json["site"] == {"visitors": None, "expected": None, "tide": None}


def test_csv_jsonp_limit_etag_and_sections(stack: Stack) -> None:
    host = "forms.example"
    seed(stack, host, 40, lambda n, before: steady(n, 0) + (90 + n if n > 16 and before < 3 else 0))
    whole = trends(stack, host)
    assert {row["path"] for row in whole.json["pages"]} == {"/p17", "/p18", "/p19"}
    assert len(trends(stack, host, limit=2).json["pages"]) == 2
    header, *rows = trends(stack, host, format="csv").csv
    assert header[:4] == ["i", "path", "visitors", "change"] and len(rows) == 3
    jsonp = trends(stack, host, callback="show").body.decode()
    assert jsonp.startswith("/**/show({") and jsonp.endswith("});\n")
    assert trends(stack, host, section="nowhere").json["pages"] == []
    section = whole.json["pages"][0]["sections"][0]
    inside = [row["path"] for row in whole.json["pages"] if section in row["sections"]]
    assert [row["path"] for row in trends(stack, host, section=section).json["pages"]] == inside
    by = [row["visitors"] for row in trends(stack, host, sort="visitors").json["pages"]]
    assert by == sorted(by, reverse=True)
    etag = whole.headers["ETag"]
    again = trends(stack, host, headers={"If-None-Match": etag})
    assert again.status in (304, 200) and (again.status == 304) == (again.headers["ETag"] == etag)
    assert trends(stack, host, window="1h").headers["ETag"] != etag
    assert "max-age" in whole.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("window", "4m"),
        ("window", "25h"),
        ("window", "30"),
        ("direction", "sideways"),
        ("sort", "path"),
        ("min_score", "-1"),
        ("min_score", "nan"),
        ("min_score", "1e2"),
        ("min_visitors", "x"),
        ("section", "s" * 101),
        ("limit", "0"),
    ],
)
def test_a_bad_parameter_is_named(stack: Stack, name: str, value: str) -> None:
    answer = trends(stack, "any.example", **{name: value})
    assert answer.status == 400
    assert answer.json["parameter"] == name and answer.json["bound"]
    assert answer.json["sent"] == value[:100]


def test_keys_as_newer_endpoints_say_it(stack: Stack) -> None:
    assert stack.ask(PATH, host="any.example").status == 401
    assert trends(stack, "not a host").status == 400
    assert stack.ask(PATH, headers={"X-CB-AK": KEY}).status == 400
    stack.simulator.script("keys.example", [page("/", 1)])
    assert trends(stack, "keys.example").status == 200
    answer = trends(stack, "keys.example", key=f"{KEY_MARK}-wrong")
    assert answer.status == 403 and answer.json["parameter"] == "apikey"


def test_one_hour_and_a_day(stack: Stack) -> None:
    host = "long.example"
    seed(
        stack,
        host,
        1500,
        lambda n, before: rising(n, before) if before < 10 else steady(n, 0),
        every_s=300,
    )
    hour = trends(stack, host, window="24h").json
    assert hour["warming"] is True  # a snapshot in five minutes: a fifth of the minutes
    host = "hour.example"
    seed(stack, host, 70, rising)
    hour = trends(stack, host, window="1h").json
    assert [row["path"] for row in hour["pages"]] == ["/p3"] and hour["window_s"] == 3600
