"""/api/v1.0/trends over HTTP: every figure again from psql's views, parameters, keys, headers."""

import math
import random
import statistics
from datetime import datetime, timedelta
from typing import Any, Callable

import pytest

from servers.stack import KEY, KEY_MARK, Answer, Stack, page

PATH = "/api/v1.0/trends"
PAGES = 20
SOURCES = ["search", "social", "links", "direct", "internal"]
Sources = dict[str, dict[datetime, tuple[int, list[int]]]]


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
            "insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources)"
            " values (%s, %s, %s, %s::int[], pack_counts(%s), pack_counts(%s))",
            host,
            newest - timedelta(seconds=step * every_s),
            limit,
            [ids[f"/p{n}"] for _, n in listed],
            [count for count, _ in listed],
            [(count + 3 * n + step) % 13 for count, _ in listed for n in range(len(SOURCES))],
        )


def steady(number: int, _: float) -> int:
    return 30 + 3 * number


def rising(number: int, before: float) -> int:
    """/p3 has a hundred more since two minutes; all wander, and swap places."""
    wander = (number * 7 + int(before * 4) * 3) % 11
    return steady(number, 0) + wander + (100 if number == 3 and before < 3 else 0)


def lively(number: int, before: float) -> int:
    """Others move too: /p0 comes from below a full list, /p19 drops below it, /p1 is away now and then."""
    moves = {0: (2.5, 120), 5: (2, 14), 15: (4, -18), 11: (9, 25), 19: (2.2, -85)}
    since, more = moves.get(number, (0, 0))
    is_away = number == 1 and int(before) % 3 == 0
    return 1 if is_away else rising(number, before) + (more if before < since else 0)


def growing(number: int, before: float) -> int:
    """The whole site grows by a half within the hour, too."""
    return int(lively(number, before) * (1.5 - 0.5 * min(before, 60) / 60))


def total(means: list[float], limit: int, cutoff: float) -> float:
    return sum(means) - (cutoff * max(0, len(means) - limit) if cutoff > 0 else 0)


def sources_by_hand(stack: Stack, host: str, start: datetime, end: datetime) -> Sources:
    """Of each page, visitors and the five of each snapshot after start, up to end, that lists it: by its time."""
    found: Sources = {}
    for path, at, visitors, five in stack.database.rows(
        "select p.path, s.taken_at, (unpack_counts(s.visitors))[n.rank],"
        " (unpack_counts(s.sources))[5 * n.rank - 4 : 5 * n.rank] from snapshots s"
        " cross join unnest(s.page_ids) with ordinality n (page_id, rank) join pages p using (page_id)"
        " where s.host = %s and s.taken_at > %s and s.taken_at <= %s order by s.taken_at",
        host,
        start,
        end,
    ):
        found.setdefault(path, {})[at] = (visitors, five)
    return found


def thirty_of(samples: Sources, start: datetime, end: datetime) -> Sources:
    """The first snapshot of each thirtieth of the time."""
    step = (end - start) / 30
    times = sorted({at for of in samples.values() for at in of})
    kept = {next((at for at in times if start + n * step < at <= start + (n + 1) * step), None) for n in range(30)}
    return {path: {at: one for at, one in of.items() if at in kept} for path, of in samples.items()}


def worded(row: dict[str, Any], now: Sources, before: Sources) -> Any:
    """By source, who is there now, and the change against what was expected: E times the share of the source in the
    samples that are nearest to the median, half of them."""
    path, median = row["path"], row["visitors"] - row["change"]
    five = [statistics.fmean(one) for one in zip(*(of for _, of in now[path].values()))] if path in now else None
    known = list(before.get(path, {}).values())
    distances = sorted(abs(visitors - median) for visitors, _ in known)
    near = [one for one in known if abs(one[0] - median) <= distances[(len(known) - 1) // 2] + 1e-3]
    if near:
        everybody = sum(visitors for visitors, _ in near)
        shares = [sum(of[n] for _, of in near) / everybody for n in range(5)]
    elif five:
        shares = [n / row["visitors"] for n in five]
    else:
        return None
    there = five or [row["visitors"] * share for share in shares]
    return {
        name: {
            "now": pytest.approx(five[n], abs=1e-4) if five else None,
            "change": pytest.approx(there[n] - row["expected"] * shares[n], abs=2e-3),
        }
        for n, name in enumerate(SOURCES)
    }


def places(values: dict[str, float], ids: dict[str, int]) -> dict[str, int]:
    order = sorted(values, key=lambda path: (-values[path], ids[path]))
    return {path: place for place, path in enumerate(order, 1)}


def tide_of(always: list[tuple[float, float]]) -> float:
    """The median of ratios, by weight."""
    below, half = 0.0, sum(weight for _, weight in always) / 2
    for ratio, weight in sorted(always):
        below += weight
        if below >= half and len(always) >= 10:
            return ratio
    return 1.0


def wobble_of(always: list[tuple[float, float]]) -> float:
    """phi, of pages with their visitors and what was expected."""
    large = [abs(visitors / expected - 1) for visitors, expected in always if expected >= 40]
    return min(max(1.4826 * statistics.median(large), 0.03), 0.35) if len(large) >= 10 else 0.1


def by_hand(
    stack: Stack, host: str, as_of: datetime, window_s: int, limit: int
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Every figure from page_minutes, snapshot_pages and headlines alone: the site's, and each page's."""
    start = as_of - timedelta(seconds=window_s)
    recent = timedelta(seconds=min(max(window_s / 15, 60), 300))
    end = as_of - recent
    minutes: dict[datetime, dict[str, float]] = {}
    cutoffs: dict[datetime, float] = {}
    samples: dict[datetime, int] = {}
    for minute, path, visitors, cutoff, count in stack.database.rows(
        "select minute, path, visitors::float, cutoff::float, samples from page_minutes"
        " where host = %s and minute >= %s and minute + interval '1 minute' <= %s",
        host,
        start,
        end,
    ):
        minutes.setdefault(minute, {})[path] = visitors
        cutoffs[minute] = cutoff
        samples[minute] = count
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
    then = {path for one in minutes.values() for path in one}
    now = {path for one in lists.values() for path in one}
    r = {
        path: statistics.fmean(one.get(path, least[at]) for at, one in lists.items())
        for path in now | then
    }
    site = total([r[path] for path in now], limit, recent_cutoff)
    totals = {minute: total([*one.values()], limit, cutoffs[minute]) for minute, one in minutes.items()}
    ids = dict(stack.database.rows("select path, page_id from pages where host = %s", host))
    seen = dict(
        stack.database.rows("select path, min(since) from headlines where host = %s group by 1", host)
    )
    sources = (
        sources_by_hand(stack, host, end, as_of), thirty_of(sources_by_hand(stack, host, start, end), start, end)
    )
    found: dict[str, dict[str, Any]] = {}
    for path in now | then:
        raw = {minute: one.get(path, cutoffs[minute]) for minute, one in minutes.items()}
        scaled = [
            value * (site / totals[minute] if window_s >= 3600 else 1)
            for minute, value in raw.items()
        ]
        b = statistics.median(scaled)
        raw_b = statistics.median(raw.values())
        found[path] = {
            "b": b,
            "mad": statistics.median(abs(value - b) for value in scaled),
            "visitors": r[path],
            "change": r[path] - raw_b,
            "baseline_minutes": len(minutes),
            "new": path not in then,
            "lower_bound": recent_cutoff > 0 if path not in now else path not in then and raw_b > 0,
            "always": all(path in one for one in [*minutes.values(), *lists.values()]),
            "first_seen": seen[path],
            "path": path,
        }
    tide = tide_of([(row["visitors"] / row["b"], row["b"]) for row in found.values() if row["always"]])
    wobble = wobble_of(
        [(row["visitors"], tide * row["b"]) for row in found.values() if row["always"]]
    )
    ranks = places({path: r[path] for path in now}, ids)
    old_ranks = places({path: found[path]["b"] for path in then}, ids)
    for path, row in found.items():
        row["expected"] = tide * row["b"]
        row["sigma"] = max(1.4826 * row["mad"], math.sqrt(row["expected"] + 1 + (wobble * row["expected"]) ** 2))
        row["score"] = (row["visitors"] - row["expected"]) / row["sigma"]
        row["ratio"] = row["visitors"] / row["expected"]
        row["rank"] = ranks.get(path)
        is_both = path in ranks and path in old_ranks
        row["rank_change"] = old_ranks[path] - ranks[path] if is_both else None
        row["sources"] = worded(row, *sources)
    return {
        "visitors": site,
        "expected": statistics.median(totals.values()),
        "tide": tide,
        "wobble": wobble,
        "samples": sum(samples.values()) + len(lists),
        "coverage": min(1, len(minutes) / ((window_s - recent.seconds) // 60)),
    }, found


FIGURES = [
    # name, window, seconds between samples, rows of a full list, counts
    ("short lists", 1800, 60, 100, lively),
    ("four samples a minute", 1800, 15, 100, lively),
    ("full lists", 1800, 15, 15, lively),
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
    site, wanted = by_hand(stack, host, as_of, window_s, limit)
    assert (said["warming"], said["stale"], said["window_s"]) == (False, False, window_s)
    assert {name: said["site"][name] for name in ("visitors", "expected", "tide", "wobble")} == {
        name: pytest.approx(site[name], abs=1e-3) for name in ("visitors", "expected", "tide", "wobble")
    }
    assert said["samples"] == site["samples"]
    assert said["coverage"] == pytest.approx(site["coverage"], abs=1e-4)
    assert {"/p0", "/p3", "/p11", "/p15", "/p19"} <= {row["path"] for row in said["pages"]}
    for row in said["pages"]:
        hand = wanted[row["path"]]
        for member in (
            "visitors expected sigma score change ratio baseline_minutes new lower_bound rank rank_change"
        ).split():
            assert row[member] == pytest.approx(hand[member], abs=2e-3), (row, member)
        assert row["i"] == f"Page {row['path']}"
        first = datetime.fromisoformat(row["first_seen"].replace("Z", "+00:00"))
        assert abs(first - hand["first_seen"]) < timedelta(milliseconds=1)
        assert row["sources"] == hand["sources"], row


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
    stack.database.rows(
        "insert into events (host, page_id, kind, began_at, peak_at, path, visitors, expected, score, peak,"
        " peak_expected) select host, page_id, 'rise', '2026-01-02T03:04:05Z', now(), path, 1, 1, 1, 1, 1"
        " from pages where host = %s and path = '/p3'",
        host,
    )
    told = trends(stack, host, window="20m", spark="1").json["pages"][0]
    assert told["since"] == "2026-01-02T03:04:05.000Z"
    assert set(said) == set(
        "host as_of stale warming window_s recent_s coverage samples minutes_known minutes_needed site pages".split()
    )
    assert set(said["site"]) == set(
        "visitors expected tide wobble usual usual_low usual_high rising falling listed".split()
    )


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_sources_say_what_makes_up_the_change_whatever_of_the_window_is_missing(
    stack: Stack, is_rolled_up: bool
) -> None:
    """A hundred more by social in the newest minutes; the first minutes of the window were an outage."""
    host = f"sources-{is_rolled_up}.example".lower()
    seed(stack, host, 40, rising, every_s=15)
    for at, ids, counts in stack.database.rows(
        "select taken_at, page_ids, unpack_counts(visitors) from snapshots where host = %s", host
    ):
        bases = [min(count, 60) // 5 for count in counts]
        five = [[base, count - 4 * base, base, base, base] for base, count in zip(bases, counts)]
        stack.database.rows(
            "update snapshots set sources = pack_counts(%s) where host = %s and taken_at = %s",
            [n for of in five for n in of],
            host,
            at,
        )
        assert len(ids) == len(counts)
    if is_rolled_up:
        stack.database.rows("update history_progress set slot = null, host = null")
        while stack.database.value("select roll_up(50)"):
            pass
    stack.database.rows(
        "delete from snapshots where host = %s and taken_at < (select max(taken_at) from snapshots where host = %s)"
        " - interval '25 minutes'",
        host,
        host,
    )
    row = trends(stack, host).json["pages"][0]
    change = {name: of["change"] for name, of in row["sources"].items()}
    assert row["path"] == "/p3" and 85 < row["visitors"] - row["expected"] < 115
    assert change["social"] == max(change.values()) and 70 < change["social"] < 110
    assert sum(change.values()) == pytest.approx(row["visitors"] - row["expected"], abs=0.01)


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
    site = answer.json["site"]
    assert (site["visitors"], site["expected"], site["tide"], site["listed"]) == (None, None, None, 0)


def test_a_new_headline_changes_nothing(stack: Stack) -> None:
    """Any page, any time, any words; the newest snapshot is made another each time, so that it is weighed anew."""
    host, dice = "renamed.example", random.Random(5)
    seed(stack, host, 40, rising)
    ids = [row[0] for row in stack.database.rows("select page_id from pages where host = %s", host)]

    def pages() -> list[dict[str, Any]]:
        for table in ("cache", "snapshots"):
            stack.database.rows(
                f"update {table} set taken_at = taken_at + interval '1 us' where host = %s"
                " and taken_at = (select max(taken_at) from snapshots where host = %s)",
                host,
                host,
            )
        return trends(stack, host, direction="both", min_score="0", min_visitors="0").json["pages"]

    before = pages()
    titles = {row["path"]: row["i"] for row in before}
    for _ in range(25):
        page_id, title = dice.choice(ids), f"New {dice.random()} \u202e"
        stack.database.rows(
            "insert into titles select page_id, since + %s * interval '1 s', %s from titles"
            " where page_id = %s order by since limit 1",
            dice.randrange(1, 2400),
            title,
            page_id,
        )
        path = stack.database.value(
            "update pages set title = %s where page_id = %s returning path", title, page_id
        )
        titles[path] = title
        assert pages() == [row | {"i": titles[row["path"]]} for row in before]
    assert len(before) > 1


def test_every_question_about_one_snapshot_has_the_same_figures(stack: Stack) -> None:
    """What is kept of a window answers other bounds, orders and forms; another window is another thing."""
    host = "kept.example"
    seed(stack, host, 40, lively, limit=15)
    whole = trends(stack, host, direction="both", min_score="0", min_visitors="0").json
    rows = {row["path"]: row for row in whole["pages"]}
    for direction in ("up", "down", "both"):
        for least in ("0", "1.5", "3", "6"):
            for sort in ("score", "change", "visitors"):
                asked = {"direction": direction, "min_score": least, "sort": sort, "min_visitors": "0"}
                said = trends(stack, host, **asked).json
                wanted = [
                    row
                    for row in rows.values()
                    if (row["score"] >= float(least) and direction != "down")
                    or (row["score"] <= -float(least) and direction != "up")
                ]
                wanted.sort(key=lambda row: -row[sort] if sort == "visitors" else -abs(row[sort]))
                assert said == whole | {"pages": wanted}, asked
    for ratio in ("1", "1.5", "10"):
        said = trends(stack, host, direction="both", min_score="0", min_visitors="0", min_ratio=ratio).json
        least = float(ratio)
        assert {row["path"] for row in said["pages"]} == {
            path for path, row in rows.items() if row["ratio"] >= least or row["ratio"] <= 1 / least
        }
    table = trends(stack, host, min_score="0", format="csv").csv
    assert [row[1] for row in table[1:]] == [r["path"] for r in trends(stack, host, min_score="0").json["pages"]]
    other = trends(stack, host, window="20m", direction="both", min_score="0", min_visitors="0").json
    assert other["window_s"] == 1200 and other["pages"] != whole["pages"] and len(rows) >= 5


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
        ("min_ratio", "0.9"),
        ("min_ratio", "11"),
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


def climbing(number: int, minute: float) -> int:
    """/p3 has 60 more from five minutes ago on."""
    return steady(number, minute) + (60 if number == 3 and minute <= 5 else 0)


def test_spark_has_the_minutes_of_the_window_and_since_when(stack: Stack, host: str) -> None:
    seed(stack, host, 40, climbing)
    answer = trends(stack, host, spark="1").json
    row = answer["pages"][0]
    assert row["path"] == "/p3" and len(row["spark"]) == 30
    assert row["spark"][:20] == [39] * 20 and row["spark"][-4:] == [99] * 4
    since = datetime.fromisoformat(row["spark_since"])
    ago = datetime.fromisoformat(answer["as_of"]) - since
    assert timedelta(minutes=4) <= ago <= timedelta(minutes=6)
    for window, count in (("5m", 5), ("1h", 60), ("90m", 45), ("24h", 60)):
        rows = trends(stack, host, spark="1", window=window, direction="all").json["pages"]
        assert all(len(row["spark"]) == count for row in rows), window
    plain = trends(stack, host).json["pages"][0]
    assert "spark" not in plain and "spark_since" not in plain


def test_spark_is_null_where_nothing_is_known(stack: Stack, host: str) -> None:
    seed(stack, host, 40, climbing)
    stack.database.rows(
        "delete from snapshots s using cache c where s.host = %s and c.host = s.host"
        " and s.taken_at between c.taken_at - interval '12 minutes' and c.taken_at - interval '9 minutes'",
        host,
    )
    row = trends(stack, host, spark="1").json["pages"][0]
    assert row["path"] == "/p3" and 2 <= row["spark"].count(None) <= 4 and row["spark"][-1] == 99


def test_all_has_every_listed_page_by_the_order_that_is_asked_for(stack: Stack, host: str) -> None:
    seed(stack, host, 40, climbing)
    answer = trends(stack, host, direction="all", sort="visitors").json
    visitors = [row["visitors"] for row in answer["pages"]]
    assert len(visitors) == PAGES and visitors == sorted(visitors, reverse=True)
    assert answer["site"]["listed"] == PAGES and answer["site"]["rising"] == 1 and answer["site"]["falling"] == 0
    assert len(trends(stack, host, direction="all", limit="3").json["pages"]) == 3


def test_the_site_says_what_is_usual(stack: Stack, host: str) -> None:
    seed(stack, host, 40, climbing)
    assert trends(stack, host, window="29m").json["site"]["usual"] is None
    days = "generate_series(7, 35, 7) d"
    stack.database.rows(
        f"insert into quarters select %s, date_bin('15 minutes', c.taken_at, 'epoch') - d * interval '1 day', 15, "
        f"'{{0}}', '{{15}}', array[15 * (1000 + 10 * d) * 100],"
        f" '{{0}}', '{{1}}', '{{1}}', '{{1}}', '{{0}}', '{{1}}', '{{14}}', '{{0}}', '{{0}}' from cache c, {days} "
        f"where host = %s",
        host,
        host,
    )
    other = trends(stack, host, window="29m", min_score="2").json["site"]  # that nothing is known is kept for a minute
    assert other["usual"] is None
    usual = stack.ask("/api/v1.0/usual", headers={"X-CB-AK": KEY}, host=host).json
    assert usual["usual"] == 1210


def test_minutes_known_and_needed(stack: Stack, host: str) -> None:
    seed(stack, host, 8, steady)
    answer = trends(stack, host).json
    assert answer["warming"] and answer["minutes_needed"] == 17 and 8 <= answer["minutes_known"] <= 9
    assert trends(stack, host, window="1h").json["minutes_needed"] == 33


@pytest.mark.parametrize("name, value", [("spark", "2"), ("spark", "yes"), ("direction", "any")])
def test_bad_words_for_the_board(stack: Stack, host: str, name: str, value: str) -> None:
    answer = trends(stack, host, **{name: value})
    assert answer.status == 400 and answer.json["parameter"] == name
