"""What is remembered: minute means and roll-ups equal an independent computation; partitions; kills."""

import math
import signal
import tempfile
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Iterator

import psycopg
import pytest

from servers.history import History
from servers.load import Load
from servers.postgres import Database, Postgres
from servers.processes import await_true
from servers.stack import Stack, page

QUARTER = timedelta(minutes=15)
Sample = tuple[datetime, list[tuple[str, int]]]


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    one = postgres.new_database()
    yield one
    one.close()


def quarter_start(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def some_quarters_ago(count: int) -> datetime:
    return quarter_start(datetime.now(timezone.utc)) - count * QUARTER


def add_snapshots(database: Database, host: str, limit: int, samples: list[Sample]) -> None:
    """As a publish would have left them."""
    database.rows("insert into hosts (host) values (%s) on conflict do nothing", host)
    paths = sorted({path for _, rows in samples for path, _ in rows})
    database.rows(
        "insert into pages (host, path, title) select %s, p, p from unnest(%s::text[]) p"
        " on conflict do nothing",
        host,
        paths,
    )
    ids = dict(database.rows("select path, page_id from pages where host = %s", host))
    for at, rows in samples:
        ordered = sorted(rows, key=lambda row: (-row[1], row[0]))
        database.rows(
            "insert into snapshots (host, taken_at, row_limit, page_ids, visitors)"
            " values (%s, %s, %s, %s::int[], pack_counts(%s))",
            host,
            at,
            limit,
            [ids[path] for path, _ in ordered],
            [visitors for _, visitors in ordered],
        )


def roll_up(database: Database) -> int:
    """All that is over, as the role of the program."""
    done = 0
    with psycopg.connect(database.conninfo("upbeat_history"), autocommit=True) as app:
        while rolled := app.execute("select roll_up(7)").fetchone()[0]:  # type: ignore[index]
            done += rolled
    return done


def half_up(value: float) -> int:
    return math.floor(value + 0.5)


Minutes = dict[datetime, tuple[int, int, dict[str, int]]]


def minute_means(limit: int, samples: list[Sample]) -> Minutes:
    """Per minute: snapshots, cut-off and the listed pages' means, in hundredths."""
    grouped = defaultdict(list)
    for at, rows in samples:
        grouped[at.replace(second=0, microsecond=0)].append(rows)
    means = {}
    for minute, lists in grouped.items():
        cuts = [min(n for _, n in rows) if len(rows) >= limit else 0 for rows in lists]
        pages = {}
        for path in {path for rows in lists for path, _ in rows}:
            counts = [dict(rows).get(path, cut) for rows, cut in zip(lists, cuts)]
            pages[path] = half_up(100 * sum(counts) / len(counts))
        means[minute] = (len(lists), half_up(100 * sum(cuts) / len(cuts)), pages)
    return means


def rolled(slot: datetime, means: Minutes) -> dict[str, dict[str, Any]]:
    """The roll-up of one quarter, by the definitions."""
    covered = {
        at: means[slot + timedelta(minutes=at)]
        for at in range(15)
        if slot + timedelta(minutes=at) in means
    }
    result = {}
    for path in {path for _, _, pages in covered.values() for path in pages}:
        listed = {at: pages[path] for at, (_, _, pages) in covered.items() if path in pages}
        steps = [listed[at] - listed[at - 1] for at in listed if at - 1 in listed]
        first, last = min(listed), max(listed)
        result[path] = {
            "minutes": len(covered),
            "listed": len(listed),
            "sum": sum(listed.values()),
            "cutoff_sum": sum(cut for at, (_, cut, _) in covered.items() if at not in listed),
            "min": min(listed.values()),
            "max": max(listed.values()),
            "first": listed[first],
            "first_at": slot + timedelta(minutes=first),
            "last": listed[last],
            "last_at": slot + timedelta(minutes=last),
            "rise": sum(step for step in steps if step > 0),
            "fall": -sum(step for step in steps if step < 0),
        }
    return result


COUNTS = ["sum", "cutoff_sum", "min", "max", "first", "last", "rise", "fall"]
COLUMNS = ["minutes", "listed", "first_at", "last_at", *COUNTS]


def stored_quarters(database: Database, host: str) -> dict[datetime, dict[str, dict[str, Any]]]:
    columns = ", ".join(f"{c} * 100" if c in COUNTS else c for c in COLUMNS)
    found: dict[datetime, dict[str, dict[str, Any]]] = defaultdict(dict)
    for slot, path, *values in database.rows(
        f"select slot, path, {columns} from page_quarters where host = %s", host
    ):
        row = dict(zip(COLUMNS, values))
        found[slot][path] = {k: int(v) if k in COUNTS else v for k, v in row.items()}
    return found


def check(database: Database, host: str, limit: int, samples: list[Sample]) -> None:
    means = minute_means(limit, samples)
    seen = database.rows(
        "select minute, path, visitors, samples, cutoff from page_minutes where host = %s", host
    )
    assert {(m, p): (int(v * 100), n, int(c * 100)) for m, p, v, n, c in seen} == {
        (minute, path): (mean, count, cut)
        for minute, (count, cut, pages) in means.items()
        for path, mean in pages.items()
    }
    slots = {quarter_start(minute) for minute in means}
    expected = {slot: rolled(slot, means) for slot in slots}
    assert stored_quarters(database, host) == {
        slot: rows for slot, rows in expected.items() if rows
    }


CASES: list[tuple[str, int, list[tuple[float, list[tuple[str, int]]]]]] = [
    # name, limit, samples (minute of the quarter, list)
    ("one sample", 3, [(0, [("/a", 5)])]),
    ("a full list has a cut-off", 2, [(0, [("/a", 9), ("/b", 4)]), (1, [("/a", 8), ("/c", 3)])]),
    ("a short list has none", 9, [(0, [("/a", 9), ("/b", 4)]), (1, [("/a", 8)])]),
    (
        "several samples a minute",
        2,
        [(0, [("/a", 9), ("/b", 4)]), (0.3, [("/a", 6), ("/c", 5)]), (0.6, [("/a", 7)])],
    ),
    (
        "an outage is a gap",
        3,
        [(0, [("/a", 10)]), (1, [("/a", 20)]), (9, [("/a", 50)]), (10, [("/a", 40)])],
    ),
    ("an empty list is known", 3, [(0, [("/a", 10)]), (1, []), (2, [("/a", 20)])]),
    ("rise and fall", 3, [(n, [("/a", visitors)]) for n, visitors in enumerate([5, 9, 3, 3, 10])]),
    ("into the next quarter", 3, [(14, [("/a", 10)]), (15, [("/a", 30)]), (16, [("/b", 1)])]),
]


@pytest.mark.parametrize("name, limit, rows", CASES, ids=[case[0] for case in CASES])
def test_roll_ups_by_hand(database: Database, name: str, limit: int, rows: Any) -> None:
    start = some_quarters_ago(3)
    samples = [(start + timedelta(minutes=minute), pages) for minute, pages in rows]
    add_snapshots(database, "a.example", limit, samples)
    assert roll_up(database) == len({quarter_start(at) for at, _ in samples})
    check(database, "a.example", limit, samples)


def traffic_samples(file: Path, start: datetime, limit: int) -> list[Sample]:
    """An hour of the recorded traffic, a sample every 20 s, with an outage of six minutes."""
    first_s, visits = 30_000, []
    for line in file.read_text(encoding="utf-8").splitlines()[1:]:
        second, visitor, path = line.split("\t")
        if first_s - 300 < int(second) <= first_s + 3600:
            visits.append((int(second), visitor, path))
    samples = []
    for offset in range(0, 3600, 20):
        if 1500 <= offset < 1860:
            continue
        now = first_s + offset
        visitors = defaultdict(set)
        for second, visitor, path in visits:
            if now - 300 < second <= now:
                visitors[path].add(visitor)
        rows = sorted(((p, len(v)) for p, v in visitors.items()), key=lambda r: (-r[1], r[0]))
        samples.append((start + timedelta(seconds=offset), rows[:limit]))
    return samples


def test_roll_ups_of_recorded_traffic(database: Database, recorded_traffic: Path) -> None:
    limit = 40
    samples = traffic_samples(recorded_traffic, some_quarters_ago(6), limit)
    add_snapshots(database, "a.example", limit, samples)
    assert roll_up(database) == 4
    check(database, "a.example", limit, samples)


def test_late_and_repeated_rounds_change_nothing(database: Database) -> None:
    start = some_quarters_ago(4)
    samples = [(start + timedelta(minutes=n), [("/a", n), ("/b", 3)]) for n in range(30)]
    add_snapshots(database, "a.example", 2, samples)
    assert roll_up(database) == 2
    before = database.rows("select * from quarters order by 1, 2")
    assert roll_up(database) == 0
    assert database.value("select rebuild_quarters('a.example', %s, 'infinity')", start) == 2
    assert database.rows("select * from quarters order by 1, 2") == before
    database.rows("delete from quarters")
    assert database.value("select rebuild_quarters('a.example', %s, 'infinity')", start) == 2
    assert database.rows("select * from quarters order by 1, 2") == before


def test_the_running_quarter_shows_as_minutes_and_is_rolled_up_when_it_is_over(
    database: Database,
) -> None:
    now = datetime.now(timezone.utc)
    add_snapshots(database, "a.example", 5, [(now - timedelta(seconds=1), [("/a", 7)])])
    roll_up(database)
    assert database.value("select visitors from page_minutes where host = 'a.example'") == 7
    running = "slot > clock_timestamp() - interval '15 minutes'"
    assert database.value(f"select count(*) from quarters where {running}") == 0


def test_days_of_23_and_25_hours_lose_and_repeat_nothing(database: Database) -> None:
    """Slots are UTC: local hours come from them, a repeated one with eight quarters."""
    database.rows("insert into hosts (host, time_zone) values ('a.example', 'Europe/Berlin')")
    for day, hour_2 in (("2026-03-29", 0), ("2026-10-25", 8), ("2026-10-24", 4)):
        database.rows("delete from quarters")
        database.rows(
            "insert into quarters select 'a.example', slot, 15, '{}', '{}', '{}', '{}', '{}', '{}',"
            " '{}', '{}', '{}', '{}', '{}', '{}' from generate_series(%s::date::timestamp at time zone"
            " 'Europe/Berlin', (%s::date + 1)::timestamp at time zone 'Europe/Berlin'"
            " - interval '1 minute', interval '15 minutes') slot",
            day,
            day,
        )
        local = dict(
            database.rows(
                "select extract(hour from slot at time zone h.time_zone)::int, count(*)::int"
                " from quarters join hosts h using (host) group by 1"
            )
        )
        assert local.pop(2, 0) == hour_2
        assert set(local.values()) == {4} and len(local) == 23


def test_title_changes_are_a_headline_log(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    for title in ("One", "One", "Two", "One"):
        stack.turn("a.example", [page("/a", 5, title)])
    rows = stack.database.rows(
        "select title, until is null from headlines where host = 'a.example' order by since"
    )
    assert rows == [("One", False), ("Two", False), ("One", True)]


# Partitions


def test_rows_without_a_partition_go_to_the_default_and_move_later(database: Database) -> None:
    far = datetime.now(timezone.utc) + timedelta(days=40)
    add_snapshots(
        database, "a.example", 5, [(far, [("/a", 1)]), (far + timedelta(days=1), [("/a", 2)])]
    )
    assert database.value("select count(*) from snapshots_default") == 2
    day = far.date()
    make = "select make_partition('snapshots', 'taken_at', %s, %s)"
    assert database.value(make, day, day + timedelta(days=1)) is True
    assert database.value(make, day, day + timedelta(days=1)) is False
    assert database.value("select count(*) from snapshots_default") == 1
    assert database.value("select count(*) from snapshots") == 2


def test_what_is_over_is_dropped_whole_and_the_rest_stays(database: Database) -> None:
    database.rows("select make_partitions()")  # the template may be of yesterday
    now = datetime.now(timezone.utc)
    for days in (1, 2, 5):
        day = (now - timedelta(days=days)).date()
        database.rows(
            "select make_partition('snapshots', 'taken_at', %s, %s)", day, day + timedelta(days=1)
        )
    samples = [(now - timedelta(days=days), [("/a", days)]) for days in (0, 1, 2, 5)]
    add_snapshots(database, "a.example", 5, samples)
    with psycopg.connect(database.conninfo("upbeat_history"), autocommit=True) as app:
        maintain = "select maintain_history(24, 14, 13)"
        assert [app.execute(maintain).fetchone() for _ in range(3)] == [(1,), (1,), (0,)]
    assert database.rows("select unpack_counts(visitors) from snapshots order by taken_at") == [([1],), ([0],)]
    levels = database.rows("select level, count(*) from storage_use group by 1 order by 1")
    assert [level for level, _ in levels] == ["minutes", "quarters", "raw"]


def test_the_upkeep_notes_when_pages_were_seen_and_forgets_those_that_stand_in_nothing(
    new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack()
    database, host = stack.database, "a.example"
    listed_at = some_quarters_ago(2)
    add_snapshots(database, host, 20, [(listed_at, [("/now", 1)])])
    database.rows("insert into refreshes (host) values (%s)", host)
    database.rows(
        "insert into pages (host, path, title) select %s, p, p from unnest('{/old,/never}'::text[]) p",
        host,
    )
    database.rows(  # "/now" has come back
        "insert into page_months select page_id, now() - interval '2 years' from pages where path <> '/never'"
    )
    History(stack).run()
    months = "select path, month from pages left join page_months using (page_id) order by 1"
    this = database.value("select date_trunc('month', now() at time zone 'UTC')::date")
    assert database.rows(months) == [("/never", this), ("/now", listed_at.date().replace(day=1))]


@pytest.mark.once
def test_a_long_look_at_the_history_delays_no_publish(new_stack: Callable[..., Stack]) -> None:
    """Somebody reads the tables: upkeep waits 50 ms at most, and leaves them for another time."""
    stack = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    stack.turn("a.example", [page("/a", 1)])
    stack.database.rows("select make_partitions()")  # the template may be of yesterday
    today = datetime.now(timezone.utc).date()
    day, old = today + timedelta(days=2), today - timedelta(days=9)
    stack.database.rows(f"drop table snapshots_{day:%Y%m%d}")
    make = "select make_partition('snapshots', 'taken_at', %s, %s)"
    stack.database.rows(make, old, old + timedelta(days=1))
    tables = f"select to_regclass('snapshots_{day:%Y%m%d}')::text, to_regclass('snapshots_{old:%Y%m%d}')::text"
    with psycopg.connect(stack.database.conninfo("upbeat")) as reader:
        reader.execute("select count(*) from snapshots")
        with psycopg.connect(stack.database.conninfo("upbeat_history"), autocommit=True) as history:
            history.execute("set statement_timeout = '1s'")
            assert history.execute("select maintain_history(24, 14, 13)").fetchone() == (0,)
        assert History(stack).run().returncode == 0
        assert stack.database.rows(tables) == [(None, f"snapshots_{old:%Y%m%d}")]
        stack.turn("a.example", [page("/a", 2)])
    assert History(stack).run().returncode == 0
    assert stack.database.rows(tables) == [(f"snapshots_{day:%Y%m%d}", None)]


@pytest.mark.unhurried
@pytest.mark.once
def test_midnight_under_load(new_stack: Callable[..., Stack], folder: Path) -> None:
    """The database's clock goes over midnight UTC while clients ask: nothing fails, nothing is lost."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    place = Path(tempfile.mkdtemp(prefix="midnight", dir=folder))
    place.chmod(0o755)
    postgres = Postgres(place / "pg").make()
    postgres.stop()
    ahead = tempfile.NamedTemporaryFile("w", dir=place, prefix="clock")  # by how much its clock is ahead
    Path(ahead.name).chmod(0o644)

    def set_clock(seconds: int) -> None:
        Path(ahead.name).write_text(f"{seconds:+d}s\n")

    def seconds_to(at: datetime) -> int:
        return int((at - datetime.now(timezone.utc)).total_seconds())

    midnight = (datetime.now(timezone.utc) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    postgres.environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": ahead.name,
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    set_clock(seconds_to(midnight) - 3600)  # however long it takes to start, and to be asked for the first time
    postgres.start()
    try:
        database = postgres.new_database()
        stack = new_stack(database=database, UPBEAT_TTL_MS="200", UPBEAT_STALE_MS="400")
        host = "a.example"
        assert stack.rising(host).status == 200
        set_clock(seconds_to(midnight) - 2)
        with Load(stack, host, clients=4, pause_s=0.02) as load:
            passed = "select clock_timestamp() > %s"
            await_true(lambda: database.value(passed, midnight + timedelta(seconds=2)), 20)
        assert load.statuses() == {200}
        asked = stack.simulator.counts()["hosts"][host]
        stored = "select count(*) from snapshots"
        await_true(lambda: database.value(stored) == asked, 10, f"{asked} snapshots: the last may be on its way")
        tables = database.rows("select distinct tableoid::regclass::text from snapshots order by 1")
        assert [name for name, in tables] == [
            f"snapshots_{day:%Y%m%d}" for day in (midnight - timedelta(days=1), midnight)
        ]
    finally:
        postgres.stop()


# Kills


@pytest.mark.once
def test_killed_in_the_middle_of_a_roll_up_it_loses_nothing(
    new_stack: Callable[..., Stack]
) -> None:
    stack = new_stack()
    start = some_quarters_ago(6)
    hosts = [f"h{n}.example" for n in range(60)]
    samples = [
        (start + timedelta(minutes=n), [(f"/{k}", n + k) for k in range(20)]) for n in range(60)
    ]
    for host in hosts:
        add_snapshots(stack.database, host, 20, samples)
    count = "select count(*) from quarters"
    for share in (0.2, 0.5):
        one = History(stack).start()
        await_true(lambda: stack.database.value(count) >= share * 4 * len(hosts) or one.is_over, 30)
        one.stop(signal.SIGKILL)

    def all_there() -> bool:
        """What the killed one's backend still holds is left to it: then there is another round."""
        two = [History(stack).start(), History(stack).start()]
        assert [one.wait() for one in two] == [0, 0]
        return bool(stack.database.value(count) == 4 * len(hosts))

    await_true(all_there, 30, "all of them")
    for host in hosts[::20]:
        check(stack.database, host, 20, samples)
