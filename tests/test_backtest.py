"""upbeat-backtest: the measure of /trends over recorded samples, as a program with a pipe on each side."""

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any, Callable, Iterable

import pytest

from servers.processes import build_folder
from servers.stack import Stack, page

PROGRAM = build_folder() / "fcgi" / "upbeat-backtest"
HEADER = "t_ms\tpath\tvisitors\n"
START_MS = 1_700_000_040_000  # at a whole minute


def backtest(text: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *options],
        input=text,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        env=os.environ | environment,
    )


def rows(text: str, *options: str, **environment: str) -> list[dict[str, Any]]:
    ended = backtest(text, "--json", *options, **environment)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def lines(samples: Iterable[tuple[int, dict[str, int]]]) -> str:
    return HEADER + "".join(
        f"{at_ms}\t{path}\t{count}\n" for at_ms, sample in samples for path, count in sample.items()
    )


def steady(minutes: int, rise_at: int = 10**6) -> list[tuple[int, dict[str, int]]]:
    """Twenty pages, a sample a minute; /p3 rises by a hundred."""
    return [
        (
            START_MS + minute * 60_000,
            {f"/p{n}": 30 + n + (100 if n == 3 and minute >= rise_at else 0) for n in range(20)},
        )
        for minute in range(minutes)
    ]


def test_a_page_that_rises_is_called_rising() -> None:
    found = rows(lines(steady(40, rise_at=38)))
    assert {row["path"] for row in found} == {"/p3"}
    last = found[-1]
    assert last["look_ms"] == START_MS + 39 * 60_000
    assert (last["visitors"], last["change"], last["expected"]) == (133, 100, 33)
    assert last["score"] == pytest.approx(100 / (34 + 0.99**2) ** 0.5, abs=1e-4)
    assert not last["new"] and not last["lower_bound"]


def test_as_tsv_it_has_a_header_and_the_same_figures() -> None:
    text = lines(steady(40, rise_at=39))
    header, *found = backtest(text).stdout.splitlines()
    assert header == "look_ms\tpath\tvisitors\tchange\texpected\tratio\tscore\tnew\tlower_bound"
    assert found[0].split("\t")[:5] == [
        str(START_MS + 39 * 60_000),
        "/p3",
        "83.0000",
        "50.0000",
        "33.0000",
    ]


def test_nothing_rises_on_a_steady_site_nor_in_an_outage() -> None:
    samples = steady(60)
    assert rows(lines(samples)) == []
    assert rows(lines(samples[:20] + samples[32:]), "--direction", "both") == []


def test_columns_in_any_order_rows_in_any_order_titles_are_passed_over() -> None:
    samples = steady(40, rise_at=38)
    mixed = ["visitors\ttitle\tt_ms\tpath"]
    for at_ms, sample in samples:
        shuffled = list(sample.items())
        random.Random(at_ms).shuffle(shuffled)
        mixed += [f"{count}\ttitle {at_ms}\t{at_ms}\t{path}" for path, count in shuffled]
    assert rows("\n".join(mixed) + "\n") == rows(lines(samples))


def test_a_newcomer_has_the_cut_off_as_its_past() -> None:
    samples = [
        (at_ms, sample | ({"/new": 200} if n >= 38 else {}))
        for n, (at_ms, sample) in enumerate(steady(40))
    ]
    short, full = rows(lines(samples)), rows(lines(samples), "--limit", "20")
    assert (short[-1]["path"], short[-1]["expected"], short[-1]["lower_bound"]) == (
        "/new",
        0,
        False,
    )
    assert (full[-1]["path"], full[-1]["expected"], full[-1]["lower_bound"]) == ("/new", 30, True)
    assert short[-1]["new"] and full[-1]["new"] and short[-1]["ratio"] is None


def test_a_smallest_ratio() -> None:
    text = lines(steady(40, rise_at=38))
    assert rows(text, "--min-ratio", "4") != [] and rows(text, "--min-ratio", "5") == []


def test_falling_and_both() -> None:
    samples = [
        (at_ms, {p: 1 if p == "/p7" and n >= 38 else c for p, c in sample.items()})
        for n, (at_ms, sample) in enumerate(steady(40, 38))
    ]
    assert rows(lines(samples), "--direction", "down")[-1]["path"] == "/p7"
    assert {row["path"] for row in rows(lines(samples), "--direction", "both")} == {"/p3", "/p7"}


def test_every_spelling_of_a_page_is_that_page() -> None:
    """Two thirds of its visitors come under other spellings; parameters are dropped as the setting says."""
    text = lines(
        (
            at_ms,
            {path: n for path, n in sample.items() if path != "/p3"}
            | {"/%703?utm_source=x": sample["/p3"] // 3, "HTTP://demo.example/p3": sample["/p3"] // 3}
            | {"/p3#top": sample["/p3"] - 2 * (sample["/p3"] // 3)},
        )
        for at_ms, sample in steady(40, rise_at=38)
    )
    found = rows(text, "--host", "demo.example")
    assert found == rows(lines(steady(40, rise_at=38)))
    apart = rows(text, "--host", "demo.example", UPBEAT_DROP_PARAMETERS="")
    assert {row["path"] for row in apart} == {"/p3", "/p3?utm_source=x"}


EVENTS = "began_ms\tended_ms\tkind\tpath\tpeak\texpected\tratio\tscore\tcause"


def risen(minutes: int, more: int) -> list[tuple[int, dict[str, int]]]:
    """Forty pages, four samples a minute; /p3 has more from minute 40 to 50."""
    return [
        (
            START_MS + step * 15_000,
            {f"/p{n}": 60 + n + (more if n == 3 and 160 <= step < 200 else 0) for n in range(40)},
        )
        for step in range(4 * minutes)
    ]


def test_events_with_their_end_and_how_many_a_day() -> None:
    ended = backtest(lines(risen(80, 200)), "--events")
    header, *found = [line.split("\t") for line in ended.stdout.splitlines()]
    assert "\t".join(header) == EVENTS and len(found) == 1
    row = dict(zip(header, found[0], strict=True))
    assert (row["kind"], row["path"], row["cause"]) == ("rise", "/p3", "")
    assert (row["peak"], row["expected"]) == ("263.0000", "63.0000")
    assert 0 <= int(row["began_ms"]) - (START_MS + 2_400_000) <= 60_000
    assert 0 <= int(row["ended_ms"]) - (START_MS + 3_000_000) <= 60_000
    assert float(row["ratio"]) == pytest.approx(263 / 63, abs=1e-4)
    assert "1 events in 0.06 days" in ended.stderr and "rise 1" in ended.stderr
    assert rows(lines(risen(80, 200)), "--events", "--min-score", "1000") == []
    assert rows(lines(risen(80, 0)), "--events") == []
    still = rows(lines(risen(45, 200)), "--events")
    assert [(one["kind"], one["ended_ms"]) for one in still] == [("rise", None)]


def test_the_cause_of_an_event() -> None:
    text = "t_ms\tpath\tvisitors\tsources\n" + "".join(
        f"{at}\t{path}\t{count}\t0,{max(0, count - 100)},0,{min(count, 100)},0\n"
        for at, pages in risen(60, 200)
        for path, count in pages.items()
    )
    assert [(row["path"], row["cause"]) for row in rows(text, "--events")] == [("/p3", "social")]


def test_a_gap_and_three_rows_in_place_of_forty_are_outages() -> None:
    samples = risen(80, 0)
    broken = [(at, dict(list(pages.items())[:3]) if 240 <= n < 248 else pages) for n, (at, pages) in enumerate(samples)]
    found = rows(lines(broken[:200] + broken[224:]), "--events")
    assert [row["kind"] for row in found] == ["outage", "outage"]
    assert [row["began_ms"] for row in found] == [START_MS + 199 * 15_000 + 300_000, START_MS + 240 * 15_000]
    assert [row["ended_ms"] for row in found] == [START_MS + 224 * 15_000, START_MS + 248 * 15_000]


BAD = [
    ("", "there is no header line"),
    ("t_ms\tpath\n", "line 1: the header must name"),
    ("t_ms\tpath\tpath\tvisitors\n", "line 1: the header names a column twice"),
    (HEADER + "1\t/a\n", "line 2: not as many columns"),
    (HEADER + "1\t/a\t2\t3\n", "line 2: not as many columns"),
    ("t_ms\tpath\tvisitors\tsources\n1\t/a\t2\t1,1,x,0,0\n", "line 2: sources must be"),
    (HEADER + "1\t/a\t2\nx\t/a\t3\n", "line 3: t_ms"),
    (HEADER + "1\t/a\t-2\n", "line 2: visitors"),
    (HEADER + "1\t/a\t2.5\n", "line 2: visitors"),
    (HEADER + "1\t/a\t1000001\n", "line 2: visitors"),
    (HEADER + "1\t\t2\n", "line 2: the path"),
    (HEADER + f"1\t/{'x' * 2000}\t2\n", "line 2: the path"),
    ("t_ms\tpath\tvisitors" + "\tx" * 14 + "\n", "line 1: the header has over 16 columns"),
    (HEADER + "1\t/a\udcff\t2\n", "line 2: the path must be UTF-8"),
    (HEADER + "5\t/a\t2\n4\t/a\t2\n", "line 3: t_ms is smaller"),
    (HEADER + f"1\t/{' ' * 700}\t2\n", "line 2: the path has over 2000 bytes"),
]


@pytest.mark.parametrize("text, said", BAD)
def test_a_line_that_cannot_be_read_is_an_error_with_its_number(text: str, said: str) -> None:
    ended = backtest(text)
    assert ended.returncode == 1
    assert ended.stderr.startswith("upbeat-backtest: ") and said in ended.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--limit", "0"],
        ["--window", "4m"],
        ["--window", "25h"],
        ["--every", "0s"],
        ["--direction", "sideways"],
        ["--min-score", "x"],
        ["--min-ratio", "0.5"],
        ["--min-ratio", "11"],
        ["--unknown"],
        ["file.tsv"],
    ],
)
def test_bad_options_are_refused(options: list[str]) -> None:
    ended = backtest(HEADER, *options)
    assert ended.returncode == 2 and ended.stderr


USED = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)"""


@pytest.mark.once
def test_a_day_of_samples_takes_seconds_and_little_memory(tmp_path: Path) -> None:
    """A hundred pages every 5 s: 1.7 million lines. Pages come and go, and all counts wander."""
    file, samples, rows_ = tmp_path / "day.tsv", 24 * 3600 // 5, 100
    dice = random.Random(1)
    lists = [
        [f"\t/section/page-{n + hour}\t{dice.randrange(10, 900)}\n" for n in range(rows_)]
        for hour in range(24)
        for _ in range(10)
    ]
    with file.open("w", encoding="utf-8") as out:
        out.write(HEADER)
        for n in range(samples):
            at = str(START_MS + 5000 * n)
            out.write(at + at.join(lists[10 * (n * 24 // samples) + n % 10]))
    # By a small process: what a child has in memory before it becomes the program is counted, and is its parent's.
    with file.open() as lines_:
        command = ["/usr/bin/python3", "-c", USED, str(PROGRAM), "--min-score", "1"]
        ended = subprocess.run(command, stdin=lines_, capture_output=True, text=True, check=True)
    cpu_s, peak_kb = ended.stdout.split()
    assert float(cpu_s) < 10
    assert int(peak_kb) < 200_000


@pytest.mark.once
def test_from_the_database(new_stack: Callable[..., Stack]) -> None:
    stack, host = new_stack(), "backtest.example"
    stack.simulator.script(host, [page(f"/p{n}", 30 + n) for n in range(20)])
    assert stack.rising(host).status == 200
    stack.database.rows(
        "insert into snapshots select host, taken_at - n * interval '1 minute', row_limit, page_ids, visitors, sources"
        " from snapshots, generate_series(1, 40) n where host = %s",
        host,
    )
    database = stack.database.conninfo()
    assert rows("", "--from-db", host, UPBEAT_DATABASE=database) == []
    stack.database.rows(
        "update snapshots set visitors = pack_counts(array[90] || (unpack_counts(visitors))[2:])"
        " where host = %s and taken_at > (select taken_at from cache where host = %s) - interval '90 s'",
        host,
        host,
    )
    found = rows("", "--from-db", host, UPBEAT_DATABASE=database)
    assert {row["path"] for row in found} == {"/p19"}
    assert found[-1]["expected"] == 49
    ended = backtest("", "--events", "--from-db", host, UPBEAT_DATABASE=database)
    assert ended.returncode == 0 and re.search(r"[0-9]+ events? in 0\.0[0-9] days", ended.stderr), ended.stderr
    ended = backtest("", "--from-db", "unknown.example", UPBEAT_DATABASE=database)
    assert ended.returncode == 1 and "no snapshot of this host" in ended.stderr
