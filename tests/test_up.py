"""fcgi/up: one command that runs the whole service, and says one clear sentence where it can't."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from servers.postgres import Postgres
from servers.processes import ROOT, await_true
from servers.rights import small_disk
from servers.up import Up

pytestmark = pytest.mark.once


@pytest.fixture
def state() -> Iterator[Path]:
    """Short, and open to the users that the parts run as."""
    place = Path(tempfile.mkdtemp(prefix="up-"))
    place.chmod(0o755)
    yield place / "state"
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def up(state: Path) -> Iterator[Callable[..., Up]]:
    """Makes one, to be started; what still runs afterwards is killed, and is a failure."""
    made: list[Up] = []

    def make(root: Path = ROOT, **settings: str) -> Up:
        made.append(Up(state, root, **settings))
        return made[-1]

    yield make
    for one in made:
        if hasattr(one, "process") and one.process.poll() is None:
            one.stop(signal.SIGTERM)
    left = made[0].leftovers() if made else []
    assert not left, left


def test_a_first_start_answers_rising_pages_and_keeps_them(
    up: Callable[..., Up],
) -> None:
    one = up(UPBEAT_TTL_MS="200", UPBEAT_STALE_MS="500").start().await_ready()
    assert one.lines[-1] == f"ready {one.url}"
    assert "SIMULATED" in one.text and "demo.example" in one.text
    assert one.rising()[0] == 200
    rows = await_true(lambda: (answer := one.rising())[0] == 200 and answer[1], 30, "a rising page")
    assert {"i", "path", "visitors", "change"} == set(rows[0])
    psql = re.search(r"^database: (psql .*)$", one.text, re.M)
    assert psql
    query = psql[1] + " -X -A -t -c 'select host, keys from host_status'"
    said = subprocess.run(["bash", "-c", query], capture_output=True, text=True, timeout=20)
    assert said.stdout == "demo.example|1\n", said.stderr
    assert one.stop() == (0, one.text)
    assert not one.leftovers()
    again = up().start().await_ready()
    query = psql[1] + " -X -A -t -c 'select count(*) > 1 from snapshots'"
    said = subprocess.run(["bash", "-c", query], capture_output=True, text=True, timeout=20)
    assert said.stdout == "t\n", said.stderr
    assert again.stop(signal.SIGTERM)[0] == 0


def test_the_line_that_it_prints_answers_until_its_token_is_revoked(up: Callable[..., Up], state: Path) -> None:
    one = up().start().await_ready()
    ask = re.search(r"^ask: +(curl .*)$", one.text, re.M)
    load = re.search(r"^settings: (.*)$", one.text, re.M)
    assert ask and load and "ubt_" in ask[1], one.text

    def run(command: str) -> str:
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=20).stdout

    def status() -> str:
        return run(ask[1] + " -o /dev/null -w '%{http_code}'")

    await_true(lambda: run(ask[1]).startswith('[{"i":'), 30, "a rising page")
    assert oct((state / "demo-token").stat().st_mode)[-3:] == "600"
    assert "the demo of fcgi/up" in run(load[1] + "; upbeat-token list")
    run(load[1] + "; upbeat-token revoke 1")
    await_true(lambda: status() == "401", 5, "the end of the token")
    assert one.stop()[0] == 0
    again = up().start().await_ready()
    ask = re.search(r"^ask: +(curl .*)$", again.text, re.M)
    assert ask and status() == "200"


@pytest.mark.unhurried
@pytest.mark.parametrize(
    "word, name",
    [
        ("upbeat-fcgi", "list pool"),
        ("upbeat-fetch", "fetchers"),
        ("upbeat-history", "history"),
        ("nginx", "nginx"),
        ("postgres", "PostgreSQL"),
        ("simulator", "simulator"),
    ],
)
def test_a_part_that_dies_is_named_with_the_end_of_its_log(
    up: Callable[..., Up], word: str, name: str
) -> None:
    one = up().start().await_ready()
    os.kill(one.child(word), signal.SIGKILL)
    status, said = one.ended()
    assert status == 1 and f"{name} has ended" in said and ".log" in said
    assert not one.leftovers()


def test_killed_itself_it_leaves_nothing_running_and_the_next_start_finds_the_data(
    up: Callable[..., Up],
) -> None:
    one = up().start().await_ready()
    one.rising()
    one.process.kill()
    one.process.wait()
    await_true(lambda: not one.leftovers(), 20, "everything that it started gone")
    again = up().start().await_ready()
    assert again.rising()[0] == 200
    assert again.stop()[0] == 0


@pytest.mark.unhurried
@pytest.mark.skipif(os.geteuid() != 0, reason="the parts run as other users only where root starts them")
def test_a_checkout_in_roots_home_may_be_closed_to_the_users_of_the_parts(
    up: Callable[..., Up], tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    names = ["fcgi", "lib", "sql", "nginx", "tests", "CMakeLists.txt", "CMakePresets.json"]
    subprocess.run(["cp", "-r", *[str(ROOT / name) for name in names], str(tmp_path)], check=True)
    one = up(root=tmp_path).start().await_ready(240)
    await_true(lambda: (answer := one.rising())[0] == 200 and answer[1], 30, "a rising page")
    assert one.stop()[0] == 0


def test_a_second_one_on_the_same_folder_is_refused(up: Callable[..., Up]) -> None:
    one = up().start().await_ready()
    status, said = up().start().ended()
    assert status == 1 and "another fcgi/up runs" in said and len(said.splitlines()) == 1
    assert one.rising()[0] == 200


def test_a_taken_port_is_one_clear_sentence(up: Callable[..., Up]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = "127.0.0.1:%d" % taken.getsockname()[1]
        status, said = up(UPBEAT_LISTEN=listen).start().ended()
    assert status == 1 and said.splitlines() == [
        f"upbeat: UPBEAT_LISTEN={listen}: the port is taken by another program"
    ]


@pytest.mark.parametrize(
    "setting, value, allowed",
    [
        ("UPBEAT_TTL_MS", "99", "from 100 to 60000"),
        ("UPBEAT_WORKERS", "0", "from 1 to 256"),
        ("UPBEAT_LISTEN", "localhost:80", "ADDRESS:PORT"),
        ("UPBEAT_LISTEN", "127.0.0.1:70000", "1 to 65535"),
        ("UPBEAT_LOG", "loud", "error, warning, info, debug"),
        ("UPBEAT_STATE", "/" + "long/" * 25, "107 bytes"),
        ("UPBEAT_STATE", "/dev/null/x", "can't be made"),
    ],
)
def test_a_bad_setting_is_one_sentence_with_name_value_and_range(
    up: Callable[..., Up], setting: str, value: str, allowed: str
) -> None:
    status, said = up(**{setting: value}).start().ended()
    assert status == 1 and len(said.splitlines()) == 1, said
    assert setting in said and value.rstrip("/") in said and allowed in said


@pytest.mark.parametrize("value, fault", [("hots=b", "that libpq can read"), ("host=b", "is not set")])
def test_bad_standbys_are_one_sentence_without_the_string(up: Callable[..., Up], value: str, fault: str) -> None:
    status, said = up(UPBEAT_DATABASE_READ=value).start().ended()
    assert status == 1 and len(said.splitlines()) == 1, said
    assert "UPBEAT_DATABASE_READ=(not shown)" in said and value not in said and fault in said


def test_a_full_disk_is_one_clear_sentence(up: Callable[..., Up], state: Path) -> None:
    state.mkdir()
    with small_disk(state, 20):
        status, said = up().start().ended()
        assert status == 1 and "the disk is full" in said and len(said.splitlines()) == 1


def test_with_a_database_of_the_operators_it_starts_none_of_its_own(
    up: Callable[..., Up], postgres: Postgres, state: Path
) -> None:
    database = postgres.new_database("template1")
    owner = database.conninfo("upbeat")
    one = up(UPBEAT_DATABASE=database.conninfo(), UPBEAT_DATABASE_OWNER=owner)
    one.start().await_ready()
    assert one.rising() == (200, [])
    assert database.value("select count(*) from snapshots") == 1
    assert not (state / "cluster").exists()
    assert one.stop()[0] == 0
    database.close()


def test_a_database_that_is_not_there_is_said(up: Callable[..., Up]) -> None:
    status, said = up(UPBEAT_DATABASE="host=/nowhere dbname=x").start().ended()
    assert status == 1 and "the database could not be migrated" in said


def test_help_names_every_setting(state: Path) -> None:
    said = subprocess.run(
        [ROOT / "fcgi" / "up", "--help"], capture_output=True, text=True, check=True
    )
    readme = (ROOT / "fcgi" / "README.md").read_text(encoding="utf-8")
    settings = re.findall(r"^\| `((?:UPBEAT|CHARTBEAT)_[A-Z_]+)`", readme, re.M)
    assert len(settings) > 12
    for setting in set(settings) - {"UPBEAT_RUN_DIR"}:  # it follows from UPBEAT_STATE
        assert f"  {setting}=" in said.stdout, setting
    assert not state.exists()
