"""upbeat-alert: the events of what was stored, told once, whatever is killed."""

import json
import os
import random
import re
import signal
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree import ElementTree
from typing import Any, Callable, Iterator

import pytest

from servers.postgres import Database, Postgres
from servers.processes import await_true, build_folder, end
from servers.stack import KEY, Answer, Stack, page

PROGRAM = build_folder() / "fcgi" / "upbeat-alert"
STEP = timedelta(seconds=15)
PAGES = 40
SOURCES = 5


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    one = postgres.new_database()
    yield one
    one.close()


class Site:
    """A host whose snapshots a test writes, every 15 s from two hours ago on; /p20 has 135 visitors."""

    def __init__(self, database: Database, host: str = "a.example") -> None:
        self.database, self.host = database, host
        self.at = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=3)
        self.counts = [235 - 5 * n for n in range(PAGES)]
        self.social = [0] * PAGES
        self.is_suspect = False
        database.rows("insert into hosts (host) values (%s)", host)
        database.rows(
            "insert into pages (host, path, title) select %s, '/p' || n, 'Page ' || n from generate_series(0, %s) n",
            host,
            PAGES - 1,
        )
        database.rows(
            "insert into titles select page_id, %s, title from pages where host = %s", self.at, host
        )
        self.ids = [
            database.value("select page_id from pages where host = %s and path = %s", host, f"/p{n}")
            for n in range(PAGES)
        ]

    def play(self, minutes: float) -> None:
        for _ in range(int(minutes * 60 / STEP.seconds)):
            self.at += STEP
            rows = sorted(
                ((count + self.social[n], n) for n, count in enumerate(self.counts)),
                key=lambda row: (-row[0], row[1]),
            )
            sources = [
                value for _, n in rows for value in (0, self.social[n], 0, self.counts[n], 0)
            ]
            self.database.rows(
                "insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources, suspect_since)"
                " values (%s, %s, 100, %s::int[], pack_counts(%s), pack_counts(%s), %s)",
                self.host,
                self.at,
                [self.ids[n] for _, n in rows],
                [count for count, _ in rows],
                sources,
                self.at if self.is_suspect else None,
            )
        self.database.rows(
            "insert into cache (host, taken_at, pages) values (%s, %s, '')"
            " on conflict (host) do update set taken_at = excluded.taken_at",
            self.host,
            self.at,
        )

    def rename(self, number: int, title: str) -> None:
        self.database.rows(
            "insert into titles values (%s, %s, %s)", self.ids[number], self.at, title
        )
        self.database.rows("update pages set title = %s where page_id = %s", title, self.ids[number])


def alert(database: Database, *options: str) -> subprocess.CompletedProcess[str]:
    ended = subprocess.run(
        [str(PROGRAM), *options],
        env=os.environ | {"UPBEAT_DATABASE": database.conninfo("upbeat_alert")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended


def events(database: Database) -> list[Any]:
    return database.rows(
        "select kind, path, ended_at is null, causes::text from events order by began_at, kind"
    )


def test_peak_and_cause_outlive_the_process_that_saw_them(database: Database) -> None:
    site = Site(database)
    site.play(40)
    alert(database)
    site.social[20] = 250
    for _ in range(6):
        site.play(1)
        alert(database)
    assert database.value("select peak from events where ended_at is null") == pytest.approx(385)
    site.social[20] = 20
    for _ in range(3):
        site.play(1)
        alert(database)
    assert events(database) == [("rise", "/p20", False, "{social}")]
    assert database.rows("select peak, sources[2] from events") == [(pytest.approx(385), pytest.approx(250, rel=0.1))]


def test_a_clock_that_is_set_back_blinds_nobody(database: Database) -> None:
    """By an hour, while a page rises: that ends, and what rises after is found; no event ends before it began."""
    site = Site(database)
    site.play(100)
    alert(database)
    site.social[20] = 250
    site.play(2)
    alert(database)
    assert [row[:3] for row in events(database)] == [("rise", "/p20", True)]
    site.at -= timedelta(hours=1, seconds=7)
    site.social[20] = 0
    for minutes in (20, 1):
        site.play(minutes)
        alert(database)
    assert [row[:3] for row in events(database)] == [("rise", "/p20", False)]
    site.social[5] = 500
    site.play(2)
    alert(database)
    assert sorted(row[:3] for row in events(database)) == [("rise", "/p20", False), ("rise", "/p5", True)]
    assert database.value("select count(*) from events where ended_at < began_at") == 0


def test_a_watch_is_made_anew_once_a_day(database: Database, tmp_path: Path) -> None:
    """So it forgets the pages that are gone; what rises then is found all the same."""
    site = Site(database)
    site.at -= timedelta(days=1)
    site.play(40)
    log = tmp_path / "log"
    with open(log, "wb") as file:
        environment = os.environ | {"UPBEAT_DATABASE": database.conninfo("upbeat_alert"), "UPBEAT_LOG": "debug"}
        process = subprocess.Popen([str(PROGRAM), "--loop"], env=environment, stderr=file, start_new_session=True)

    def look() -> None:
        looked = "select looked_at from event_progress"
        await_true(lambda: database.value(looked) == site.at, 20)

    look()
    assert "anew" not in log.read_text()
    site.at += timedelta(days=1)
    site.play(50)
    look()
    site.social[20] = 250
    site.play(2)
    look()
    assert end(process) == 0
    assert log.read_text().count("a.example: the watch is made anew") in (1, 2)  # its day may begin just now, too
    assert [row[:3] for row in events(database)] == [("rise", "/p20", True)]


def test_a_rise_is_told_once_with_its_cause_and_its_end(database: Database) -> None:
    site = Site(database)
    site.play(40)
    alert(database)
    assert events(database) == []
    site.social[20] = 250
    site.play(1)
    alert(database)
    assert events(database) == [("rise", "/p20", True, "{social}")]
    assert database.value("select count(*) from open_events") == 1
    whole = database.rows("select * from events")
    alert(database)
    assert database.rows("select * from events") == whole
    site.play(10)
    site.social[20] = 0
    site.play(10)
    alert(database)
    assert events(database) == [("rise", "/p20", False, "{social}")]
    peak = database.value("select peak from events")
    assert peak == pytest.approx(385)
    assert database.value("select count(*) from recent_events") == 1
    assert database.value("select count(*) from open_events") == 0


def test_the_first_look_of_all_finds_what_the_last_two_hours_had(database: Database) -> None:
    site = Site(database)
    site.play(45)
    site.social[20] = 400
    site.play(10)
    site.social[20] = 0
    site.play(30)
    alert(database, "--once")
    assert events(database) == [("rise", "/p20", False, "{social}")]


def test_however_it_is_cut_into_runs_the_events_are_the_same(database: Database) -> None:
    """A new process each time, and one for all: one tells what the other does."""
    dice = random.Random(3)
    sites = [Site(database, f"{name}.example") for name in ("a", "b")]
    sites[1].at = sites[0].at  # a second may have begun between the two
    for minutes in range(0, 100):
        for site in sites:
            site.social[20] = 250 if 45 <= minutes < 60 else 0
            site.social[3] = 400 if minutes >= 70 else 0
            site.is_suspect = 63 <= minutes < 65
            site.play(1)
        if minutes == 40:
            alert(database)
        elif minutes > 40 and dice.random() < 0.5:
            # All of it for the one, the newest process for the other.
            database.rows(
                "update cache set taken_at = coalesce((select looked_at from event_progress e"
                " where e.host = cache.host), taken_at) where host = 'b.example'"
            )
            alert(database)
            database.rows("update cache set taken_at = %s where host = 'b.example'", sites[1].at)
    alert(database)
    found = {
        host: database.rows(
            "select kind, path, began_at, ended_at, causes from events where host = %s order by began_at",
            host,
        )
        for host in ("a.example", "b.example")
    }
    kinds = [row[0] for row in found["a.example"]]
    assert kinds == ["rise", "outage", "rise"]
    assert [row[:3] for row in found["a.example"]] == [row[:3] for row in found["b.example"]]


def test_a_new_headline_with_what_it_did_and_a_suspect_measurement(database: Database) -> None:
    site = Site(database)
    site.play(40)
    alert(database)
    site.rename(10, "A better one")
    site.social[10] = 60
    site.play(18)
    site.is_suspect = True
    site.play(2)
    site.is_suspect = False
    site.play(30)
    alert(database)
    found = database.rows(
        "select kind, path, title, peak, visitors, expected, score > 2 from events"
        " where kind <> 'rise' order by began_at"
    )
    assert [(row[0], row[1]) for row in found] == [("headline", "/p10"), ("outage", None)]
    headline = found[0]
    assert headline[2] == "A better one"
    assert headline[3] == pytest.approx(185, abs=1) and headline[4] == pytest.approx(245, abs=6)
    assert headline[5] == pytest.approx(185, abs=6) and headline[6]


def test_a_record_is_told_once_a_day(database: Database) -> None:
    site = Site(database)
    for days, pages in ((8, [20, 21]), (1, [20, 21, 22])):  # /p22 is known since yesterday only
        zeros = [0] * len(pages)
        most = [{20: 15000, 21: 90000, 22: 100}[n] for n in pages]
        database.rows(
            "insert into quarters values"
            " (%s, date_bin('15 minutes', now() - %s * interval '1 day', 'epoch'), 15, %s::int[], %s::smallint[],"
            " %s::int[], %s::int[], %s::int[], %s::int[], %s::int[], %s::smallint[], %s::int[], %s::smallint[],"
            " %s::int[], %s::int[])",
            site.host, days, [site.ids[n] for n in pages], *([zeros] * 4), most, *([zeros] * 6),
        )  # fmt: skip
    site.play(40)
    alert(database)
    assert events(database) == []
    site.counts[20], site.counts[21], site.counts[22] = 153, 155, 135  # no rise: within the noise of counts
    site.play(5)
    alert(database)
    assert events(database) == [("record", "/p20", False, "{}")]
    site.counts[20] = 157
    site.play(5)
    alert(database)
    assert events(database) == [("record", "/p20", False, "{}")]


def test_a_dry_run_tells_and_stores_nothing(database: Database) -> None:
    site = Site(database)
    site.play(40)
    alert(database)
    site.social[20] = 250
    site.play(2)
    said = alert(database, "--dry-run").stdout
    host, found = said.rstrip("\n").split("\t")
    assert host == "a.example" and [row["kind"] for row in json.loads(found)] == ["rise"]
    assert events(database) == []
    alert(database)
    assert [row[0] for row in events(database)] == ["rise"]


def test_killed_again_and_again_it_loses_and_doubles_nothing(database: Database) -> None:
    sites = [Site(database, f"site{n}.example") for n in range(4)]
    for site in sites:
        site.play(40)
    alert(database)
    for site in sites:
        site.social[20] = 250
        site.play(10)
        site.social[20] = 0
        site.play(10)
    dice = random.Random(7)
    environment = os.environ | {"UPBEAT_DATABASE": database.conninfo("upbeat_alert")}
    for _ in range(12):
        running = [
            subprocess.Popen([str(PROGRAM), "--loop"], env=environment, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        time.sleep(dice.random() * 0.15)  # any moment will do
        for one in running:
            one.kill()
            one.wait()
    running = [
        subprocess.Popen([str(PROGRAM), "--loop"], env=environment, stderr=subprocess.DEVNULL) for _ in range(2)
    ]
    await_true(
        lambda: database.value(
            "select bool_and(e.looked_at = c.taken_at) from cache c left join event_progress e using (host)"
        ),
        within_s=20,
    )
    for one in running:
        one.terminate()
        assert one.wait(10) in (0, -signal.SIGTERM)  # the latter: it was asked before it was ready
    found = database.rows("select host, kind, path, ended_at is null from events order by host")
    assert found == [(site.host, "rise", "/p20", False) for site in sites]


def test_bad_options_are_refused() -> None:
    for options in (["--unknown"], ["file"]):
        ended = subprocess.run([str(PROGRAM), *options], capture_output=True, text=True, timeout=10)
        assert ended.returncode == 2 and ended.stderr.startswith("upbeat-alert: ")


# --- Over HTTP -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """A host with three events: an open rise, a fall that is over, an outage of yesterday."""
    one = new_stack(UPBEAT_WORKERS="1", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="120000")
    one.simulator.script("site.example", [page("/p1", 50), page("/p2", 40)])
    assert one.rising("site.example").status == 200
    one.database.rows(
        "insert into events (host, page_id, kind, began_at, peak_at, ended_at, path, title, visitors, expected, score,"
        " peak, peak_expected, causes, sources) select p.host, p.page_id, e.kind::event_kind, now() - e.age,"
        " now() - e.age,"
        " case when e.is_over then now() end, p.path, %s, 410, 128, 9.5, 420, 130, '{search,social}', '{100,160,2,3,4}'"
        " from pages p join (values ('/p1', 'rise', interval '5 minutes', false), ('/p2', 'fall', '2 hours', true))"
        " e (path, kind, age, is_over) using (path)",
        "<b>Fünf & \x01 mehr</b>",
    )
    one.database.rows(
        "insert into events (host, kind, began_at, peak_at, ended_at, visitors, expected, score, peak, peak_expected)"
        " values ('site.example', 'outage', now() - interval '30 hours', now(), now() - interval '29 hours',"
        " 0, 0, 0, 0, 0)"
    )
    return one


def ask(stack: Stack, **more: str) -> Answer:
    return stack.ask("/api/v1.0/events", headers={"X-CB-AK": KEY}, host="site.example", **more)


@pytest.mark.parametrize(
    "asked, kinds",
    [
        ({}, ["rise", "fall"]),
        ({"open": "true"}, ["rise"]),
        ({"open": "false"}, ["fall"]),
        ({"kind": "fall,outage"}, ["fall"]),
        ({"since": "2020-01-01"}, ["rise", "fall", "outage"]),
        ({"since": "2020-01-01", "kind": "outage"}, ["outage"]),
        ({"since": "2020-01-01", "until": "2020-01-02T00:00Z"}, []),
        ({"limit": "1"}, ["rise"]),
    ],
)
def test_events_are_chosen(stack: Stack, asked: dict[str, str], kinds: list[str]) -> None:
    answer = ask(stack, **asked)
    assert answer.status == 200, answer
    assert [row["kind"] for row in answer.json["events"]] == kinds


def test_an_event_has_its_evidence(stack: Stack) -> None:
    row = ask(stack).json["events"][0]
    assert (row["path"], row["i"], row["ended_at"]) == ("/p1", "<b>Fünf & \x01 mehr</b>", None)
    assert (row["visitors"], row["expected"], row["ratio"]) == (410, 128, pytest.approx(3.2031))
    assert (row["cause"], row["search"], row["internal"]) == ("search+social", 100, 4)
    table = ask(stack, format="csv").csv
    assert table[0] == list(row) and len(table) == 3
    answer = ask(stack)
    assert stack.ask(
        "/api/v1.0/events",
        headers={"X-CB-AK": KEY, "If-None-Match": answer.headers["ETag"]},
        host="site.example",
    ).status in (304, 200)


def test_a_feed_for_readers(stack: Stack) -> None:
    atom = "{http://www.w3.org/2005/Atom}"
    answer = ask(stack, format="atom")
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(answer.body)
    entries = feed.findall(f"{atom}entry")
    told = ask(stack).json["events"]
    assert [entry.findtext(f"{atom}title") for entry in entries] == [
        "Rising: <b>Fünf &  mehr</b>",
        "Falling: <b>Fünf &  mehr</b>",
    ]
    for entry, row in zip(entries, told, strict=True):
        assert entry.findtext(f"{atom}id") == f"tag:site.example,{row['began_at'][:10]}:upbeat/event/{row['id']}"
        assert entry.findtext(f"{atom}updated") == (row["ended_at"] or row["began_at"])
        link = entry.find(f"{atom}link")
        assert link is not None and link.get("href") == f"https://site.example{row['path']}"
    assert "410.00 against 128.00; from search+social" in str(entries[0].findtext(f"{atom}summary"))
    assert feed.findtext(f"{atom}updated") == max(row["ended_at"] or row["began_at"] for row in told)
    none = ElementTree.fromstring(ask(stack, format="atom", kind="record").body)
    assert none.findall(f"{atom}entry") == [] and none.findtext(f"{atom}updated")
    outage = ElementTree.fromstring(ask(stack, format="atom", kind="outage", since="2020-01-01").body)
    summary = outage.findtext(f"{atom}entry/{atom}summary")
    assert re.fullmatch(r"over since 20[-0-9]{8}T[0-9:.]+Z", str(summary)), summary
    for other in ("trends", "history"):
        refused = stack.ask(f"/api/v1.0/{other}", headers={"X-CB-AK": KEY}, host="site.example", format="atom")
        assert refused.status == 400 and refused.json["parameter"] == "format"


HOSTILE = [
    ("=cmd|' /C calc'!A0", "/a", "https://news.example/a"),
    ("]]></title><script>alert(1)</script>&#1;\ufffe", "/b?x=1&y=%3C2%3E", "https://news.example/b?x=1&y=%3C2%3E"),
    ('"quoted", and\r\nbroken', "blog.news.example/c", "https://blog.news.example/c"),
    ("\u2028);alert(1)//", "//elsewhere/d", "https://elsewhere/d"),
]


def test_hostile_headlines_and_addresses_are_told_safely(stack: Stack) -> None:
    host = "sport@news.example"
    stack.simulator.script(host, [page(path, 50, title) for title, path, _ in HOSTILE])
    assert stack.rising(host).status == 200
    stack.database.rows(
        "insert into events (host, page_id, kind, began_at, peak_at, ended_at, path, title, visitors, expected, score,"
        " peak, peak_expected) select host, page_id, 'headline', now() - interval '1 minute' * n, now(), now(), path,"
        " t, 190, 185, 0.4, 180, 180 from unnest(%s::text[], %s::text[]) with ordinality w (t, p, n)"
        " join pages on host = %s and path = p",
        [title for title, _, _ in HOSTILE],
        [path for _, path, _ in HOSTILE],
        host,
    )
    given = {"headers": {"X-CB-AK": KEY}, "host": host}
    told = stack.ask("/api/v1.0/events", **given).json["events"]
    assert [row["i"] for row in told] == [title for title, _, _ in HOSTILE]
    table = stack.ask("/api/v1.0/events", format="csv", **given)
    assert len(table.csv) == 5 and not any(cell[:1] in "=+@" for row in table.csv for cell in row if cell)
    script = stack.ask("/api/v1.0/events", jsonp="f", **given)
    assert script.headers["Content-Type"].startswith(("application/javascript", "text/javascript"))
    assert b"\xe2\x80\xa8" not in script.body and b"<" not in script.body.split(b"(", 1)[1].replace(b"\\u003c", b"")
    atom = "{http://www.w3.org/2005/Atom}"
    feed = ElementTree.fromstring(stack.ask("/api/v1.0/events", format="atom", **given).body)
    entries = feed.findall(f"{atom}entry")
    links = [link.get("href") for entry in entries if (link := entry.find(f"{atom}link")) is not None]
    assert links == [url for _, _, url in HOSTILE]
    assert {entry.findtext(f"{atom}summary") for entry in entries} == {
        "15 minutes later 190.00 against 185.00 expected: not told apart from chance"
    }
    assert str(entries[1].findtext(f"{atom}title")).startswith("New headline: ]]></title><script>")
    assert all(entry.findtext(f"{atom}id").startswith(f"tag:{host},") for entry in entries)


@pytest.mark.parametrize(
    "name, value",
    [("kind", "rise,fal"), ("kind", ""), ("kind", "rise,"), ("open", "yes"), ("since", "yesterday"), ("until", "1")],
)
def test_a_bad_parameter_is_named(stack: Stack, name: str, value: str) -> None:
    answer = ask(stack, **{name: value})
    assert answer.status == 400 and answer.json["parameter"] == name and answer.json["bound"]
