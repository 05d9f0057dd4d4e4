"""Hours, profile and what is usual, against an independent computation from the minutes: clocks that go
forward and back, by an hour and by half of one, zones at :30 and :45, outages, pages that come and go."""

import random
import statistics
from collections import defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Callable
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest

from servers.stack import KEY, Stack, page

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
UTC = timezone.utc
LIMIT = 3

pytestmark = pytest.mark.once  # it is SQL that is tested here

# What is known of a minute: the cut-off, and the mean of each listed page; in hundredths.
Known = dict[datetime, tuple[int, dict[str, int]]]


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_WORKERS="1", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="120000")


def quarter_of(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def invent(seed: int, start: datetime, end: datetime) -> Known:
    """A site with outages of minutes and of hours; /often is away now and then, /once had one day."""
    dice = random.Random(seed)
    known: Known = {}
    minute, outage = start, 0
    while minute < end:
        outage = outage - 1 if outage > 0 else dice.choice([0] * 400 + [7, 40, 200])
        if outage == 0:
            pages = {"/": dice.randrange(20_000, 90_000)}
            if dice.random() < 0.7:
                pages["/often"] = dice.randrange(2_000, 30_000)
            if minute.date() == (start + timedelta(days=2)).date():
                pages["/once"] = dice.randrange(2_000, 5_000)
            known[minute] = (2_000 if len(pages) >= LIMIT else dice.choice([0, 1_500]), pages)
        minute += MINUTE
    return known


def remember(stack: Stack, host: str, known: Known) -> None:
    """As the roll-up would have left it: the minutes, and their quarters made by the real function."""
    stack.simulator.script(host, [page("/", 5), page("/often", 4), page("/once", 3)])
    assert stack.rising(host).status == 200
    ids = dict(stack.database.rows("select path, page_id from pages where host = %s", host))
    first: dict[str, datetime] = {}
    slots: dict[datetime, list[datetime]] = defaultdict(list)
    for minute, (_, pages) in sorted(known.items()):
        slots[quarter_of(minute)].append(minute)
        for path in pages:
            first.setdefault(path, minute)
    for path, since in first.items():
        stack.database.rows(
            "update titles set since = %s where page_id = %s and since > %s",
            since,
            ids[path],
            since,
        )
    for slot, minutes in slots.items():
        of = [known.get(slot + at * MINUTE) for at in range(15)]
        paths = sorted({path for minute in minutes for path in known[minute][1]}, key=ids.get)  # type: ignore[arg-type]
        stack.database.rows(
            "insert into minutes (host, slot, samples, cutoffs, totals, page_ids, visitors)"
            " values (%s, %s, %s::smallint[], %s::int[], %s::int[], %s::int[], %s::int[])",
            host,
            slot,
            [int(one is not None) for one in of],
            [one[0] if one else 0 for one in of],
            [sum(one[1].values()) if one else 0 for one in of],
            [ids[path] for path in paths],
            [one[1].get(path, -1) if one else -1 for path in paths for one in of],
        )
    stack.database.rows("select rebuild_quarters(%s, '-infinity', 'infinity')", host)


def cents(value: Decimal | float | None) -> Decimal | None:
    if value is None:
        return None
    return Decimal(value).quantize(Decimal("0.01"), ROUND_HALF_UP)


def ratio(above: int, below: int) -> Decimal | None:
    return cents(Decimal(above) / 100 / below) if below else None


def counts_of(known: Known, path: str | None) -> dict[datetime, tuple[int, int | None]]:
    """Cut-off, and what the page (or the site) had: None where it was not listed."""
    return {
        minute: (cut, sum(pages.values()) if path is None else pages.get(path))
        for minute, (cut, pages) in known.items()
    }


def hours_of(known: Known, path: str | None, zone: str) -> dict[datetime, dict[str, Any]]:
    """By the start of each local hour: the figures of trends.md."""
    grouped: dict[datetime, dict[datetime, tuple[int, int | None]]] = defaultdict(dict)
    for minute, row in counts_of(known, path).items():
        local = minute.astimezone(ZoneInfo(zone))
        grouped[minute - timedelta(minutes=local.minute)][minute] = row
    found: dict[datetime, dict[str, Any]] = {}
    for hour, minutes in sorted(grouped.items()):
        listed = {at: count for at, (_, count) in sorted(minutes.items()) if count is not None}
        steps = [
            listed[at] - listed[at - MINUTE]
            for at in listed
            if at - MINUTE in listed and quarter_of(at) == quarter_of(at - MINUTE)
        ]
        cut_sum = sum(cut for at, (cut, _) in minutes.items() if path is None or at not in listed)
        total = sum(listed.values())
        low = ratio(total, len(minutes))
        high = ratio(total + cut_sum, len(minutes)) if path else None if cut_sum else low
        first, last = (min(listed), max(listed)) if listed else (None, None)
        found[hour] = {
            "minutes": len(minutes),
            "listed": len(listed),
            "sum": cents(Decimal(total) / 100),
            "cutoff_sum": cents(Decimal(cut_sum) / 100),
            "avg_listed": ratio(total, len(listed)),
            "avg_low": low,
            "avg_high": high,
            "min": ratio(min(listed.values()), 1) if listed else None,
            "max": ratio(max(listed.values()), 1) if listed else None,
            "first": ratio(listed[first], 1) if first else None,
            "first_at": first,
            "last": ratio(listed[last], 1) if last else None,
            "last_at": last,
            "rise": ratio(sum(step for step in steps if step > 0), 1),
            "fall": ratio(-sum(step for step in steps if step < 0), 1),
            "change": ratio(listed[last] - listed[first], 1) if first and last else None,
        }
    for hour, row in found.items():
        near = [other for other in found if hour - HOUR <= other < hour]
        row["change_prev"] = row["avg_low"] - found[max(near)]["avg_low"] if near else None
    return found


def quartile(values: list[Decimal], part: float) -> float:
    """Linear between the two nearest, as percentile_cont."""
    ordered = sorted(float(value) for value in values)
    place = part * (len(ordered) - 1)
    below = ordered[int(place)]
    above = ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))


def profile_of(
    known: Known, path: str | None, zone: str, days: int, now: datetime
) -> list[dict[str, Any]]:
    today = now.astimezone(ZoneInfo(zone)).date()
    first = min((at for at, (_, pages) in known.items() if path is None or path in pages))
    of: dict[int, dict[date, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for hour, row in hours_of(known, path, zone).items():
        local = hour.astimezone(ZoneInfo(zone))
        is_in = today - timedelta(days=days) <= local.date() < today
        if row["minutes"] >= 30 and is_in and (path is None or hour + HOUR > first):
            of[local.hour][local.date()].append(row)
    rows = []
    for number in range(24):
        per_day = of[number].values()
        values = [statistics.mean(row["avg_low"] for row in day) for day in per_day]
        changes = [[row["change"] for row in day if row["change"] is not None] for day in per_day]
        medians = [statistics.mean(day) for day in changes if day]
        rows.append(
            {
                "hour": number,
                "days": len(values),
                "median": quartile(values, 0.5) if values else None,
                "p25": quartile(values, 0.25) if values else None,
                "p75": quartile(values, 0.75) if values else None,
                "mean": float(statistics.mean(values)) if values else None,
                "min": float(min(values)) if values else None,
                "max": float(max(values)) if values else None,
                "change": quartile(medians, 0.5) if medians else None,
            }
        )
    return rows


def ask(stack: Stack, what: str, host: str, **parameters: Any) -> Any:
    given = {"host": host} | {
        name: value for name, value in parameters.items() if value is not None
    }
    answer = stack.ask(f"/api/v1.0/{what}", headers={"X-CB-AK": KEY}, query=urlencode(given))
    assert answer.status == 200, answer
    return answer.json


def as_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None


ZONES = [
    # the name, a zone, and a time some days after its clocks were changed
    ("forward", "Europe/Berlin", "2026-03-31T09:00"),
    ("back", "Europe/Berlin", "2026-10-27T09:00"),
    ("half an hour back", "Australia/Lord_Howe", "2026-04-07T09:00"),
    ("half an hour forward", "Australia/Lord_Howe", "2026-10-06T09:00"),
    ("at 30", "Asia/Kolkata", "2026-06-10T09:00"),
    ("at 45", "Asia/Kathmandu", "2026-06-10T09:00"),
    ("at 45, and back", "Pacific/Chatham", "2026-04-07T09:00"),
    ("behind", "America/St_Johns", "2026-11-03T09:00"),
]


@pytest.mark.parametrize("name, zone, text", ZONES, ids=[row[0] for row in ZONES])
def test_hours_and_profile(stack: Stack, host: str, name: str, zone: str, text: str) -> None:
    now = datetime.fromisoformat(text).replace(tzinfo=UTC)
    start = now - timedelta(days=5, hours=3)
    known = invent(len(name), start, now)
    remember(stack, host, known)
    for path in (None, "/", "/often", "/once"):
        wanted = hours_of(known, path, zone)
        said = ask(
            stack,
            "hours",
            host,
            path=path,
            tz=zone,
            **{"from": start.isoformat(), "to": now.isoformat()},
        )
        assert said["tz"] == zone and said["path"] == path
        assert [as_time(row["hour"]) for row in said["hours"]] == list(wanted)
        for row, (hour, figures) in zip(said["hours"], wanted.items(), strict=True):
            assert row["local"] == hour.astimezone(ZoneInfo(zone)).isoformat()
            for member, value in figures.items():
                if member.endswith("_at"):
                    assert as_time(row[member]) == value, (hour, member)
                elif value is None:
                    assert row[member] is None, (hour, member)
                else:
                    assert row[member] == pytest.approx(float(value), abs=1e-6), (hour, member)
        rows = stack.database.rows(
            "select * from page_profile(%s, %s, 5, %s, %s)", host, path, zone, now
        )
        for got, row in zip(rows, profile_of(known, path, zone, 5, now), strict=True):
            assert [None if v is None else float(v) for v in got] == [
                None if v is None else pytest.approx(v, abs=0.0051) for v in row.values()
            ], (name, path)


def test_an_hour_that_is_repeated_is_two_and_a_missing_one_is_none(stack: Stack, host: str) -> None:
    known = {
        start + n * 5 * MINUTE: (0, {"/": 100 * n})
        for start in (datetime(2026, 10, 24, 20, tzinfo=UTC), datetime(2026, 3, 28, 20, tzinfo=UTC))
        for n in range(12 * 8)
    }
    remember(stack, host, known)
    stack.database.rows("update hosts set time_zone = 'Europe/Berlin' where host = %s", host)
    back = ask(stack, "hours", host, **{"from": "2026-10-24T22:00Z", "to": "2026-10-25T02:00Z"})
    assert back["tz"] == "Europe/Berlin"
    assert [row["local"][11:] for row in back["hours"]] == [
        "00:00:00+02:00",
        "01:00:00+02:00",
        "02:00:00+02:00",
        "02:00:00+01:00",
    ]
    gone = ask(stack, "hours", host, **{"from": "2026-03-28T23:00Z", "to": "2026-03-29T02:00Z"})
    assert [row["local"][11:13] for row in gone["hours"]] == ["00", "01", "03"]


def usual_of(
    quarters: dict[datetime, Decimal], zone: str, at: datetime
) -> tuple[Any, Any, Any, str | None, int]:
    """Median, p25, p75, basis and n, by looking at every quarter of the past."""
    now = quarter_of(at).astimezone(ZoneInfo(zone))
    per_day: dict[date, list[Decimal]] = defaultdict(list)
    for slot, value in quarters.items():
        local = slot.astimezone(ZoneInfo(zone))
        before = (now.date() - local.date()).days
        if local.time() == now.time() and 1 <= before <= 56:
            per_day[local.date()].append(value)
    values = {day: statistics.mean(of) for day, of in per_day.items()}
    same = [value for day, value in values.items() if day.weekday() == now.weekday()]
    is_work = now.weekday() < 5
    alike = [value for day, value in values.items() if (day.weekday() < 5) == is_work]
    for of, least, basis in (
        (same, 4, "weekday"),
        (alike, 5, "weekdays" if is_work else "weekend"),
    ):
        if len(of) >= least:
            return quartile(of, 0.5), quartile(of, 0.25), quartile(of, 0.75), basis, len(of)
    return None, None, None, None, 0


USUAL = [
    # name, zone, the newest snapshot, days of history, basis
    ("eight weeks", "Europe/Berlin", "2026-11-24T09:07", 60, "weekday"),
    ("clocks back", "Europe/Berlin", "2026-11-03T01:20", 60, "weekday"),
    ("in the hour that was repeated", "Europe/Berlin", "2026-11-01T01:20", 60, "weekday"),
    ("in the hour that was missing", "Europe/Berlin", "2026-04-05T00:50", 60, "weekday"),
    ("ten days", "Asia/Kathmandu", "2026-11-24T09:07", 10, "weekdays"),
    ("weekends", "Australia/Lord_Howe", "2026-11-21T22:07", 25, "weekend"),
    ("three days", "UTC", "2026-11-24T09:07", 3, None),
]


@pytest.mark.parametrize("name, zone, text, days, basis", USUAL, ids=[row[0] for row in USUAL])
def test_usual(
    stack: Stack, host: str, name: str, zone: str, text: str, days: int, basis: str | None
) -> None:
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    dice = random.Random(name)
    known: Known = {}
    for back in range(1, days + 1):  # two hours around that time of each day are enough
        for offset in range(-8, 9):
            slot = quarter_of(at) - timedelta(days=back) + offset * QUARTER
            for minute in range(dice.choice([15, 15, 15, 4, 0])):
                pages = {
                    "/": dice.randrange(50_000, 99_000),
                    "/often": dice.randrange(5_000, 9_000),
                }
                if dice.random() < 0.5:
                    pages["/once"] = dice.randrange(2_000, 3_000)
                known[slot + minute * MINUTE] = (0, pages)
    remember(stack, host, known)
    stack.database.rows("update cache set taken_at = %s where host = %s", at, host)
    stack.database.rows("update snapshots set taken_at = %s where host = %s", at, host)
    per: dict[datetime, list[dict[str, int]]] = defaultdict(list)
    for minute, (_, pages) in known.items():
        per[quarter_of(minute)].append(pages)

    def quarters(of: Callable[[list[dict[str, int]]], int | None]) -> dict[datetime, Decimal]:
        return {
            slot: Decimal(value) / 100 / len(rows)
            for slot, rows in per.items()
            if (value := of(rows)) is not None
        }

    def ranked(rows: list[dict[str, int]]) -> int | None:
        sums = [sum(row.get(path, 0) for row in rows) for path in {p for row in rows for p in row}]
        return sorted(sums, reverse=True)[2] if len(sums) > 2 else None

    first = min(minute for minute, (_, pages) in known.items() if "/once" in pages)
    site = quarters(lambda rows: sum(sum(row.values()) for row in rows))
    once = quarters(lambda rows: sum(row.get("/once", 0) for row in rows))
    once = {slot: value for slot, value in once.items() if slot + QUARTER > first}
    for path, values, now in ((None, site, 12), ("/once", once, 3)):
        row = stack.database.rows("select * from page_usual(%s, %s, %s)", host, path, zone)[0]
        _, _, visitors, rank, usual, low, high, versus, got, n, for_rank = row
        wanted = usual_of(values, zone, at)
        assert (got, n) == wanted[3:], (name, path, row)
        assert (visitors, rank) == (now, None if path is None else 3)
        if path is None:
            assert got == basis
        for value, want in zip((usual, low, high), wanted[:3], strict=True):
            assert (value is None) == (want is None)
            assert want is None or float(value) == pytest.approx(want, abs=0.0051)
        assert versus is None or float(versus) == pytest.approx(now / float(usual), abs=1e-4)
        want = usual_of(quarters(ranked), zone, at)[0] if path else None
        assert (for_rank is None) == (want is None), (for_rank, want)
        assert want is None or float(for_rank) == pytest.approx(want, abs=0.0051)


def test_http_says_what_psql_says(stack: Stack, host: str) -> None:
    end = quarter_of(datetime.now(UTC)) - QUARTER
    remember(stack, host, invent(7, end - timedelta(days=4), end))
    for path in (None, "/", "/often", "/never"):
        for zone in (None, "Asia/Kathmandu"):
            name = zone or "UTC"
            day, today = None, f"select (now() at time zone '{name}')::date"
            while day != (day := stack.database.value(today)):  # again, where it ends in between
                said = ask(stack, "profile", host, path=path, tz=zone, days=3)
                rows = stack.database.rows("select * from page_profile(%s, %s, 3, %s)", host, path, name)
            assert (said["tz"], said["days"], len(said["hours"])) == (name, 3, 24)
            assert [[*row.values()] for row in said["hours"]] == [
                [None if v is None else pytest.approx(float(v)) for v in row] for row in rows
            ]
            usual = ask(stack, "usual", host, path=path, tz=zone)
            row = stack.database.rows("select * from page_usual(%s, %s, %s)", host, path, name)[0]
            assert [usual[key] for key in "visitors rank basis n".split()] == [
                row[2],
                row[3],
                row[8],
                row[9],
            ]
            assert usual["usual"] == (None if row[4] is None else float(row[4]))
