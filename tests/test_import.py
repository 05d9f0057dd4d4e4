"""upbeat-import: recorded samples become what the service itself would have made of them."""

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from servers.postgres import Database
from servers.processes import worker_program

HEADER = "t_ms\tpath\tvisitors\ttitle\tsections\tsources\n"
QUARTER_S = 900
DAY_S = 86400


def run(database: Database, host: str, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = Path(worker_program()).parent / "upbeat-import"
    environment = {"UPBEAT_DATABASE_OWNER": database.conninfo("upbeat")}
    return subprocess.run(
        [program, *options, host], input=text, env=environment, capture_output=True, text=True, timeout=60
    )


def samples(from_s: int, count: int, step_s: int = 30, factor: int = 1) -> str:
    """/a grows, /b is there every second minute; a full list of two with --limit 2."""
    lines = [HEADER]
    for at in range(count):
        t_ms = (from_s + at * step_s) * 1000 + 250
        lines.append(f"{t_ms}\t/a\t{factor * (10 + at)}\tTitle of A\tnews|sport\t1,2,3,4,{at}\n")
        if at // 2 % 2 == 0:
            lines.append(f"{t_ms}\t/b\t{factor * 7}\tTitle \\of \"B\"\t\t\n")
    return "".join(lines)


def slot_ago(seconds: int) -> int:
    return (int(time.time()) - seconds) // QUARTER_S * QUARTER_S


def quarters(database: Database, host: str) -> list[Any]:
    return database.rows("select q::text from quarters q where host = %s order by slot", host)


def test_what_is_older_than_a_day_is_kept_by_quarters_alone(database: Database, host: str) -> None:
    said = run(database, host, samples(slot_ago(10 * DAY_S), 60))
    assert said.returncode == 0 and said.stdout == f"90 rows, 2 quarters of an hour of {host}\n", said.stderr
    rows = database.rows(
        "select path, minutes, listed, first, last from page_quarters where host = %s order by slot, path", host
    )
    assert [(path, minutes, listed) for path, minutes, listed, _, _ in rows][:2] == [("/a", 15, 15), ("/b", 15, 8)]
    assert float(rows[0][3]) == 10.5 and float(rows[0][4]) == 38.5
    assert database.value("select count(*) from minutes where host = %s", host) == 0
    assert database.value("select count(*) from snapshots where host = %s", host) == 0
    assert database.value("select count(*) from quarters_default where host = %s", host) == 0
    assert database.rows("select path, title, sections from pages where host = %s order by path", host) == [
        ("/a", "Title of A", ["news", "sport"]),
        ("/b", 'Title \\of "B"', []),
    ]


@pytest.mark.parametrize("limit", ["2", "100"])
def test_the_last_day_is_what_the_service_rolls_up_from_the_same_samples(
    database: Database, host: str, limit: str
) -> None:
    slot = slot_ago(3600)
    assert run(database, host, samples(slot, 60), "--limit", limit).returncode == 0
    made = database.rows("select m::text from minutes m where host = %s order by slot", host), quarters(database, host)
    assert len(made[0]) == 2
    for at in (slot, slot + QUARTER_S):
        database.rows(
            "select roll_minutes(%s, to_timestamp(%s)), roll_quarter(%s, to_timestamp(%s))", host, at, host, at
        )
    assert (
        database.rows("select m::text from minutes m where host = %s order by slot", host), quarters(database, host)
    ) == made
    newest = database.rows(
        "select time, path, visitors from snapshot_pages where host = %s order by time desc, rank limit 1", host
    )
    assert newest[0][1:] == ("/a", 69)
    sources = database.value(
        "select unpack_counts(sources) from snapshots where host = %s order by taken_at desc limit 1", host
    )
    assert sources[:5] == [1, 2, 3, 4, 59]


def test_of_the_running_quarter_the_samples_alone_are_kept(database: Database, host: str) -> None:
    now = int(time.time())
    assert run(database, host, samples(now - 20, 2, 10)).returncode == 0
    running = slot_ago(0)
    assert database.value(
        "select count(*) from minutes where host = %s and slot >= to_timestamp(%s)", host, running
    ) == 0
    assert database.value("select count(*) from snapshots where host = %s", host) == 2


def test_to_repeat_it_changes_nothing_and_other_data_stay_unless_told(database: Database, host: str) -> None:
    oldest, newest = slot_ago(5 * DAY_S), slot_ago(3600)
    for slot in (oldest, newest):
        assert run(database, host, samples(slot, 30)).returncode == 0
        before = quarters(database, host)
        assert run(database, host, samples(slot, 30)).returncode == 0
        assert quarters(database, host) == before
        said = run(database, host, samples(slot, 30, factor=2))
        assert said.returncode == 1 and "other data" in said.stderr and "line 47" in said.stderr, said.stderr
        assert quarters(database, host) == before
    assert run(database, host, samples(oldest, 30, factor=2), "--replace").returncode == 0
    assert quarters(database, host) != before
    assert float(
        database.value("select max from page_quarters where host = %s and path = '/b' order by slot limit 1", host)
    ) == 14


def test_newest_first_a_page_was_first_seen_in_the_oldest_and_headlines_are_in_order(
    database: Database, host: str
) -> None:
    day_3, day_4, day_5 = (slot_ago(days * DAY_S) for days in (3, 4, 5))
    for slot, title in ((day_3, "Title of A"), (day_4, "Title of A"), (day_5, "Before")):
        assert run(database, host, samples(slot, 30).replace("Title of A", title)).returncode == 0
    rows = database.rows("select since, title from headlines where host = %s and path = '/a' order by since", host)
    assert [title for _, title in rows] == ["Before", "Title of A"]
    assert rows[0][0].timestamp() == day_5 and rows[1][0].timestamp() == day_4


def test_a_page_that_is_spelled_in_two_ways_is_one(database: Database, host: str) -> None:
    t_ms = slot_ago(5 * DAY_S) * 1000
    text = HEADER + f"{t_ms}\thttps://www.{host}/a\t3\t\t\t\n{t_ms}\t/a\t4\t\t\t\n{t_ms}\t/b c\t5\t\t\t\n"
    assert run(database, host, text).returncode == 0
    rows = database.rows("select path, max from page_quarters where host = %s order by path", host)
    assert [(path, float(most)) for path, most in rows] == [("/a", 7.0), ("/b%20c", 5.0)]


@pytest.mark.parametrize(
    "text, line, why",
    [
        ("", 0, "no header line"),
        ("t_ms\tpath\n", 1, "must name t_ms, path and visitors"),
        (HEADER + "1\t/a\n", 2, "not as many columns"),
        (HEADER + "x\t/a\t1\t\t\t\n", 2, "whole milliseconds"),
        (HEADER + "1000\t/a\t-1\t\t\t\n", 2, "whole number"),
        (HEADER + "1000\t/a\t1\t\t\t1,2,3\n", 2, "five numbers"),
        (HEADER + "1000\t/a\t1\t\t\t1,2,3,4,5,6\n", 2, "five numbers"),
        (HEADER + "2000\t/a\t1\t\t\t\n1000\t/a\t1\t\t\t\n", 3, "smaller"),
        (HEADER + "9999999999999\t/a\t1\t\t\t\n", 2, "future"),
    ],
)
def test_a_bad_line_is_said_with_its_number(database: Database, host: str, text: str, line: int, why: str) -> None:
    said = run(database, host, text)
    assert said.returncode == 1 and said.stderr.startswith(
        f"upbeat-import: line {line}: "
    ) and why in said.stderr, said.stderr
    assert len(said.stderr.splitlines()) == 1 and not quarters(database, host)


def test_bad_options_are_said(database: Database) -> None:
    for options in (["--limit", "0", "a.example"], [], ["bad host"], ["a.example", "b.example"]):
        program = Path(worker_program()).parent / "upbeat-import"
        said = subprocess.run([program, *options], input="", capture_output=True, text=True, timeout=20)
        assert said.returncode == 2 and "upbeat-import: " in said.stderr


@pytest.mark.once
def test_memory_does_not_grow_with_the_samples(database: Database, host: str) -> None:
    """The maximum resident size, of twelve days against one."""
    program = Path(worker_program()).parent / "upbeat-import"
    peaks = []
    for days in (1, 12):
        slot = slot_ago((20 + days) * DAY_S)
        text = HEADER + "".join(
            f"{(slot + at * QUARTER_S) * 1000}\t/p{n}-{at // 8}\t{n + 5}\tTitle {n} of {at // 8}\tnews\t\n"
            for at in range(96 * days)
            for n in range(20)
        )
        process = subprocess.Popen(
            [program, f"{days}-{host}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={
                "UPBEAT_DATABASE_OWNER": database.conninfo("upbeat")
            }
        )
        assert process.stdin is not None
        process.stdin.write(text.encode())
        process.stdin.flush()  # all but the last 64 kB have been read by now
        status = Path(f"/proc/{process.pid}/status").read_text()
        peaks.append(int(re.search(r"VmHWM:\s+(\d+)", status)[1]))  # type: ignore[index]
        process.stdin.close()
        assert process.wait(60) == 0
    assert peaks[1] < peaks[0] + 2048, peaks  # kB
