"""The fault matrix: what happens when PostgreSQL does not answer as it should. A test a row."""

import os
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Callable, Iterator

import psycopg
import pytest

from servers.load import Load
from servers.pair import Frozen, both, kill, make_pair, promote
from servers.pgbouncer import PgBouncer
from servers.postgres import Database, Postgres
from servers.processes import allow_s, await_true, children_of, command_line, program
from servers.rights import small_disk
from servers.stack import KEY, Stack, page

HOST = "database.example"
EVENTS = "/api/v1.0/events"
HOLD = "begin; select pg_advisory_xact_lock_shared(1); select pg_sleep(60); commit"
HELD = (
    "select pid from pg_locks l join pg_database d on d.oid = l.database and d.datname = current_database()"
    " where locktype = 'advisory' and mode = 'ShareLock'"
)
# The first half of the query waits, and reads a table, so that PostgreSQL hears of what was dropped; the other half is
# a function that was found when the query began.
HALF = """
create function second_half(p_number integer) returns setof events
language plpgsql stable as $$ begin return query select * from events; end $$;
grant execute on function second_half to upbeat_worker
"""
HALVES = f"""
create function first_half() returns integer
language plpgsql as $$ begin
    perform pg_advisory_xact_lock_shared(1);
    return (select count(*) from titles);
end $$;
grant execute on function first_half to upbeat_worker;
{HALF};
create or replace function host_events(
    p_host text, p_since timestamptz, p_until timestamptz, p_kinds text[], p_is_open boolean, p_limit integer)
returns setof events
language sql stable as $$ select e.* from first_half() f, second_half(f) e $$
"""


@pytest.fixture
def postgres_of_its_own(folder: Path) -> Iterator[Postgres]:
    """To be hurt."""
    one = Postgres(
        Path(tempfile.mkdtemp(prefix="pg", dir=folder)), "synchronous_commit = on\n"
    ).make()
    yield one
    one.stop(signal.SIGQUIT)


@pytest.fixture
def stack(new_stack: Callable[..., Stack], postgres_of_its_own: Postgres) -> Stack:
    """Fresh rows, so that nothing but the database matters, and one worker: of two, one may never have answered, and
    has nothing to say again."""
    one = new_stack(
        database=postgres_of_its_own.new_database(),
        UPBEAT_TTL_MS="60000",
        UPBEAT_STALE_MS="60000",
        UPBEAT_WORKERS="1",
    )
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    return one


def backends(postgres: Postgres) -> list[int]:
    """Of our workers."""
    found = []
    for pid in children_of(postgres.pid):
        title = command_line(pid)
        if b" upbeat_worker " in title or b" upbeat_fetch " in title:
            found.append(pid)
    return found


def snapshots(stack: Stack) -> list[Any]:
    return stack.database.rows("select host, taken_at, visitors from snapshots order by 1, 2")


def test_backend_kill_9(
    stack: Stack, postgres_of_its_own: Postgres, measured: Callable[[str], None]
) -> None:
    before = snapshots(stack)
    with Load(stack, HOST, clients=4, pause_s=0.005) as load:
        load.await_more(50)
        old = set(backends(postgres_of_its_own))
        os.kill(min(old), signal.SIGKILL)
        killed_s = time.monotonic()
        await_true(lambda: not old & set(children_of(postgres_of_its_own.pid)), 10, "a server that has noticed")
        await_true(postgres_of_its_own.is_ready, 10, "crash recovery")
        ready_s = time.monotonic()
        load.await_status(200, 5)
        back_s = time.monotonic()
        load.await_more(100)
    assert load.statuses() <= {200, 503}
    assert load.statuses(after_s=back_s + 1) <= {200}
    assert back_s - ready_s < allow_s(1), f"{back_s - ready_s:.2f} s after recovery"
    measured(f"{load.count(503)} requests 503; 200 again {back_s - killed_s:.2f} s after the kill")
    assert load.slowest_s(after_s=killed_s) < allow_s(1.5)
    assert snapshots(stack) == before


def test_postgresql_fast_restart(
    stack: Stack, postgres_of_its_own: Postgres, measured: Callable[[str], None]
) -> None:
    before = snapshots(stack)
    with Load(stack, HOST, clients=4, pause_s=0.005) as load:
        load.await_more(50)
        postgres_of_its_own.stop()
        down = stack.rising("cold.example")
        load.await_more(100)
        postgres_of_its_own.start()
        ready_s = time.monotonic()
        load.await_status(200, 5)
        back_s = time.monotonic()
        load.await_more(100)
    assert down.status == 503 and int(down.headers["Retry-After"]) >= 1
    assert load.statuses() == {200}, "the last answer, stale"
    assert load.slowest_s() < allow_s(2)
    assert back_s - ready_s < allow_s(1)
    measured(
        f"stale; a new host 503 + Retry-After; slowest {load.slowest_s():.2f} s;"
        f" 200 again {back_s - ready_s:.2f} s after it is up"
    )
    assert load.statuses(after_s=back_s + 1) <= {200}
    assert snapshots(stack) == before


@pytest.mark.unhurried
def test_postgresql_sigstop_for_10_s(
    stack: Stack, postgres_of_its_own: Postgres, measured: Callable[[str], None]
) -> None:
    """Here 4 s of it, since nothing new happens in the other six."""
    with Load(stack, HOST, clients=8, pause_s=0.005) as load:
        load.await_more(50)
        with Frozen(postgres_of_its_own):
            stopped_s = time.monotonic()
            cold = [stack.rising(f"cold{n}.example").status for n in range(3)]
            while time.monotonic() < stopped_s + 4:
                load.await_more(1)
        on_s = time.monotonic()
        await_true(lambda: "Warning" not in stack.rising(HOST).headers, 5, "a fresh answer")
        back_s = time.monotonic()
        load.await_more(100)
    assert load.statuses() == {200}, "the last answer, stale"
    assert cold == [503, 503, 503]
    assert load.slowest_s() < allow_s(1.6)
    assert back_s - on_s < allow_s(1)
    measured(
        f"stale, slowest {load.slowest_s():.2f} s; a new host 503; fresh again {back_s - on_s:.2f} s after it goes on"
    )


@pytest.fixture
def pair(folder: Path) -> Iterator[tuple[Postgres, Postgres]]:
    """A primary and its synchronous standby."""
    primary, standby = make_pair(Path(tempfile.mkdtemp(prefix="pair", dir=folder)))
    yield primary, standby
    primary.stop(signal.SIGQUIT)
    standby.stop(signal.SIGQUIT)


@pytest.mark.once
def test_primary_kill_9_and_synchronous_standby_promoted(
    new_stack: Callable[..., Stack],
    pair: tuple[Postgres, Postgres],
    measured: Callable[[str], None],
) -> None:
    primary, standby = pair
    database = primary.new_database()
    stack = new_stack(
        database=database,
        UPBEAT_DATABASE=both(primary, standby, database.name),
        UPBEAT_TTL_MS="100",
        UPBEAT_STALE_MS="100",
        UPBEAT_STALE_ERROR_MS="1000",
    )
    for visitors in range(1, 6):
        stack.turn(HOST, [page("/", visitors)])
    acknowledged = snapshots(stack)
    with Load(stack, HOST, clients=4, pause_s=0.02) as load:
        load.await_more(20)
        kill(primary)
        load.await_status(503, 5)
        promote(standby)
        promoted_s = time.monotonic()
        load.await_status(200, 5)
        back_s = time.monotonic()
    assert back_s - promoted_s < allow_s(1.3)
    measured(
        f"503, then 200 {back_s - promoted_s:.2f} s after the promotion; nothing lost, nothing twice"
    )
    assert load.statuses() <= {200, 503}
    stack.database = Database(standby, database.name)
    kept = snapshots(stack)
    assert set(map(repr, acknowledged)) <= set(map(repr, kept))
    assert len({(host, at) for host, at, _ in kept}) == len(kept)


@pytest.mark.unhurried
@pytest.mark.once
def test_synchronous_standby_lost(
    new_stack: Callable[..., Stack],
    pair: tuple[Postgres, Postgres],
    measured: Callable[[str], None],
) -> None:
    """Reads go on; a write that the standby has not confirmed is not acknowledged."""
    primary, standby = pair
    stack = new_stack(database=primary.new_database())
    stack.simulator.script(HOST, [page("/", 1)])
    assert stack.rising(HOST).status == 200
    standby.stop(signal.SIGQUIT)
    with Load(stack, HOST, clients=2, pause_s=0.05) as load:
        asked_s = time.monotonic()
        cold = stack.rising("cold.example")
        assert time.monotonic() - asked_s < allow_s(5)
        load.await_more(100)
    assert cold.status in (503, 504)
    assert load.statuses() == {200}
    measured(f"reads 200; a new host {cold.status}, until the standby is back")
    standby.start()
    await_true(lambda: stack.rising("cold.example").status == 200, 70, "writes again")


@pytest.mark.once
def test_disk_full_under_postgresql(new_stack: Callable[..., Stack], folder: Path) -> None:
    place = Path(tempfile.mkdtemp(prefix="disk", dir=folder))
    with small_disk(place, 160):
        postgres = Postgres(
            place / "pg", "log_destination = 'stderr'\nmax_wal_size = 64MB\n"
        ).make()
        try:
            disk_full(new_stack(database=postgres.new_database()), postgres, place)
        finally:
            postgres.stop(signal.SIGQUIT)


def disk_full(stack: Stack, postgres: Postgres, place: Path) -> None:
    stack.simulator.script(HOST, [page("/", 1)])
    assert stack.rising(HOST).status == 200
    acknowledged = snapshots(stack)
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file, suppress(OSError):  # a buffer would be written once more at the end
        while True:
            file.write(b"\0" * 65536)
    statuses = {stack.rising(f"full{n}.example").status for n in range(40)}
    statuses |= {stack.rising(HOST).status for _ in range(20)}
    assert statuses <= {200, 502, 503, 504}
    filler.unlink()

    def well() -> bool:
        if postgres._process is None or postgres._process.poll() is not None:
            postgres.start()
        return stack.rising("after.example").status == 200

    await_true(well, 70, "answers again")
    kept = snapshots(stack)
    assert set(map(repr, acknowledged)) <= set(map(repr, kept))


@pytest.fixture
def pgbouncer(postgres: Postgres, folder: Path) -> Iterator[Callable[[Database], PgBouncer]]:
    if program("pgbouncer") is None:
        pytest.skip("pgbouncer is not installed")
    running: list[PgBouncer] = []

    def start(database: Database) -> PgBouncer:
        running.append(PgBouncer(Path(tempfile.mkdtemp(prefix="bouncer", dir=folder)), postgres, database.name))
        return running[-1].start()

    yield start
    for one in running:
        one.kill()


def test_pgbouncer_restarted_or_its_pool_full(
    new_stack: Callable[..., Stack],
    postgres: Postgres,
    pgbouncer: Any,
    measured: Callable[[str], None],
) -> None:
    database = postgres.new_database()
    bouncer = pgbouncer(database)
    stack = new_stack(
        database=database,
        UPBEAT_DATABASE=bouncer.conninfo,
        UPBEAT_PREPARE="off",
        UPBEAT_TTL_MS="60000",
        UPBEAT_STALE_MS="60000",
    )
    stack.simulator.script(HOST, [page("/", 1)])
    assert stack.rising(HOST).status == 200
    with Load(stack, HOST, clients=4, pause_s=0.01) as load:
        load.await_more(100)
        assert load.statuses() == {200}
        bouncer.kill()
        bouncer.start()
        load.await_status(200, 1.5)
        holders = [
            subprocess.Popen(
                ["psql", "-X", "-q", f"{bouncer.conninfo} user=upbeat_worker", "-c", HOLD],
                stdout=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]
        # A cold host that is asked for before both connections are held would be known for the minute of its TTL.
        await_true(lambda: len(database.rows(HELD)) == 2, 3, "a pool that is held")
        full_s = time.monotonic()
        await_true(lambda: stack.rising("cold.example").status == 503, 3, "a full pool")
        load.await_more(500)
        for (backend,) in database.rows(HELD):
            os.kill(backend, signal.SIGTERM)
        for holder in holders:
            holder.wait()
        load.await_status(200, 1.5)
    assert load.statuses() <= {200, 503}
    assert load.slowest_s(after_s=full_s) < allow_s(1.6)
    measured(f"200, or stale within {load.slowest_s(after_s=full_s):.2f} s")


@pytest.mark.once
def test_a_query_that_is_given_up_does_not_run_on(stack: Stack) -> None:
    """Or whoever asks for something slow again and again would fill the server. A lock stands for what takes long."""
    stack.database.postgres.migrate(stack.database.name)  # a setting of a database is not copied with its tables
    workers = "from pg_stat_activity where datname = current_database() and usename = 'upbeat_worker'"
    postgres = stack.database.postgres
    postgres.value(f"select count(pg_terminate_backend(pid)) {workers}", stack.database.name)
    waiting = f"select count(*)::int {workers} and wait_event_type = 'Lock'"
    with psycopg.connect(stack.database.conninfo("upbeat")) as other, ThreadPoolExecutor(1) as pool:
        other.execute("lock table minutes, quarters, snapshots")
        asked = pool.submit(stack.ask, "/api/v1.0/history", headers={"X-CB-AK": KEY}, host=HOST)
        await_true(lambda: postgres.value(waiting, stack.database.name) > 0, 4, "a report that waits for the lock")
        assert asked.result().status == 503
        await_true(lambda: postgres.value(waiting, stack.database.name) == 0, 5, "the query given up by the server")


@pytest.mark.once
def test_a_migration_drops_and_creates_functions_under_a_query(stack: Stack) -> None:
    database = stack.database
    database.rows(HALVES)
    waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
    with psycopg.connect(database.conninfo("upbeat")) as migration, ThreadPoolExecutor(1) as pool:
        migration.execute("select pg_advisory_xact_lock(1)")
        asked = pool.submit(stack.ask, EVENTS, headers={"X-CB-AK": KEY}, host=HOST)
        await_true(lambda: database.rows(waiting), 3, "a query that is half done")
        migration.execute("drop function second_half; " + HALF)
        migration.commit()
        assert asked.result().status == 200


@pytest.mark.once
def test_clock_of_the_database_jumps_by_an_hour(
    new_stack: Callable[..., Stack], folder: Path
) -> None:
    """libfaketime moves the clock of a whole cluster while it runs."""
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is not installed")
    place = Path(tempfile.mkdtemp(prefix="clock", dir=folder))
    place.chmod(0o755)
    clock = place / "clock"
    clock.write_text("+0\n")
    clock.chmod(0o644)
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    postgres = Postgres(place / "pg").make()
    postgres.stop()
    postgres.environment = fake
    postgres.start()
    try:
        stack = new_stack(database=postgres.new_database())
        stack.simulator.script(HOST, [page("/", 1)])
        assert stack.rising(HOST).status == 200
        for offset in ("+3600", "-3600", "+0"):
            before = stack.simulator.counts()["hosts"][HOST]
            clock.write_text(offset + "\n")
            statuses = [stack.rising(HOST).status for _ in range(20)]
            assert set(statuses) <= {200}, offset
            extra = stack.simulator.counts()["hosts"][HOST] - before
            assert extra <= 2, f"{extra} requests to Chartbeat after {offset}"
    finally:
        postgres.stop()
