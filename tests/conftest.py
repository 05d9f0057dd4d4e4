"""What all tests share: a PostgreSQL cluster a session, a whole service a module, a host a test."""

import itertools
import os
import re
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from servers.burst import allow_files
from servers.outbox import BOARD, Outbox
from servers.postgres import Database, Postgres
from servers.processes import ROOT
from servers.receiver import Receiver
from servers.stack import Stack

hosts = itertools.count(1)
allow_files()


ROOM_BYTES = 3 << 30


def has_room_in_memory() -> bool:
    """Some times what a run of all tests has at a time."""
    available = re.search(r"^MemAvailable: +(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    room = os.statvfs("/dev/shm")
    free = room.f_bavail * room.f_frsize
    return bool(available) and int(available[1]) << 10 > 2 * ROOM_BYTES and free > ROOM_BYTES


# PostgreSQL makes and drops some 100 databases: on a slow disk that alone takes minutes, and servers wait for it.
if has_room_in_memory():
    tempfile.tempdir = "/dev/shm"


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Short, since a socket's path may have 107 bytes; open to the user that runs PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="upbeat-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[Postgres]:
    one = Postgres(folder / "pg").make()
    yield one
    one.stop(signal.SIGQUIT)  # nobody needs what a checkpoint would write


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[Database]:
    one = postgres.new_database()
    yield one
    one.close()


@pytest.fixture(scope="module")
def new_stack(postgres: Postgres, folder: Path) -> Iterator[Callable[..., Stack]]:
    """Starts a service with these settings on a fresh database; stops it after the module."""
    started: list[Stack] = []
    made: list[Database] = []

    def start(**settings: Any) -> Stack:
        database = settings.pop("database", None)
        if database is None:
            database = postgres.new_database()
            made.append(database)
        place = Path(tempfile.mkdtemp(dir=folder))
        started.append(Stack(place, database, **settings).start())
        return started[-1]

    yield start
    with ThreadPoolExecutor(4) as pool:
        faults = [fault for fault in pool.map(fault_of_stopping, started) if fault]
    for one in made:
        postgres.execute(f"drop database {one.name} with (force)")
    assert not faults, "\n".join(faults)


def fault_of_stopping(stack: Stack) -> str:
    """Empty where there was none."""
    try:
        stack.stop()
    except AssertionError as fault:
        return str(fault) or repr(fault)
    return ""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    one = Receiver(tmp_path_factory.mktemp("receiver")).start()
    yield one
    one.stop()


@pytest.fixture
def outbox(postgres: Postgres, tmp_path: Path) -> Iterator[Outbox]:
    """Of a test alone, on a fresh database."""
    database = postgres.new_database()
    one = Outbox(database, tmp_path, UPBEAT_BOARD_URL=BOARD)
    yield one
    one.stop()
    database.close()


@pytest.fixture
def host(request: pytest.FixtureRequest) -> str:
    """Of this test alone."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    return f"{name}-{next(hosts)}.example"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a test measures, and what takes long, is no neighbour of others: tests/run has these run one at a time."""
    for item in items:
        if "measured" in getattr(item, "fixturenames", ()) or item.get_closest_marker("slow"):
            item.add_marker("alone")


measurements: list[tuple[str, str]] = []


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes what a test of the fault matrix measured, for the table at the end of the run."""

    def take(what: str) -> None:
        measurements.append((request.node.name.removeprefix("test_").replace("_", " "), what))

    return take


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if measurements:
        terminalreporter.section("the fault matrix as measured")
    for row, what in measurements:
        terminalreporter.write_line(f"| {row} | {what} |")


@pytest.fixture(scope="session")
def recorded_traffic() -> Path:
    """The recorded traffic; the test is skipped where there is none."""
    place = Path(os.environ.get("UPBEAT_TRAFFIC_DIR", ROOT.parent / "shared" / "traffic"))
    files = sorted(place.glob("*.tsv"))
    if not files:
        pytest.skip(f"there is no recorded traffic in {place} (UPBEAT_TRAFFIC_DIR)")
    return files[0]
