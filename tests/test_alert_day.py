"""A day in the life of a site, told rightly: a morning tide, a surge by social traffic at 10:00, an outage of the
measurement at 11:00, a new headline at 11:30 that works. Hours pass in seconds: each list is published as the
fetcher does it, with the time that the day's clock shows; upbeat-alert, its outbox and the receiver
are real, and upbeat-alert is killed again and again."""

import json
import math
import random
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import pytest

from servers.outbox import PROGRAM, Outbox, signature
from servers.postgres import Database, Postgres
from servers.processes import await_true
from servers.receiver import Receiver
from test_alert_commands import good

STEP_S = 15
PAGES = 60
FIRST, LAST = 8.25, 12.5  # the hours of the day that are played
CHUNK_S = 900
STAY_S = 120  # a page forgets its readers so fast


class Day:
    """Visitors come and go: each list is the one before, less who left, plus who came."""

    def __init__(self, database: Database, host: str, seed: int) -> None:
        self.database, self.host, self.dice = database, host, random.Random(seed)
        # Its last minute is now, so that nothing is a day old.
        self.midnight = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=LAST)
        self.base = [320 / (1 + n / 12) for n in range(PAGES)]
        self.counts = [0.45 * visitors for visitors in self.base]
        self.social = 0.0
        self.second = int(FIRST * 3600)
        self.title = "Page 10"
        database.rows("insert into hosts (host) values (%s)", host)
        database.rows("insert into refreshes (host) values (%s) on conflict do nothing", host)

    @property
    def hour(self) -> float:
        return self.second / 3600

    def level(self, page: int) -> float:
        done = min(max((self.hour - 8.0) / 2.5, 0), 1)  # the tide, from 8:00 to 10:30
        tide = 0.45 + 0.55 * done * done * (3 - 2 * done)
        return self.base[page] * tide * (1.35 if page == 10 and self.hour >= 11.5 else 1)

    def step(self) -> list[tuple[int, int, int]]:
        """Page, visitors, and from social, most visitors first."""
        share = STEP_S / STAY_S
        for page in range(PAGES):
            level = self.level(page)
            self.counts[page] += share * (level - self.counts[page])
            self.counts[page] += self.dice.gauss(0, math.sqrt(2 * share * level))
        surge = 1000 if 10 <= self.hour < 10.03 else 280 if 10 <= self.hour < 10.3 else 0
        self.social += share * (surge - self.social)
        rows = []
        for page, count in enumerate(self.counts):
            extra = round(self.social) if page == 20 else 0
            rows.append((page, max(round(count), 1) + extra, extra))
        rows.sort(key=lambda row: (-row[1], row[0]))
        return rows[:3] if 11 <= self.hour < 11.05 else rows

    def play(self, seconds: int) -> None:
        for _ in range(seconds // STEP_S):
            self.second += STEP_S
            if self.hour >= 11.5:
                self.title = "What it is really about"
            self.publish(self.step())

    def publish(self, rows: list[tuple[int, int, int]]) -> None:
        paths = [f"/p{page}" for page, _, _ in rows]
        titles = [self.title if page == 10 else f"Page {page}" for page, _, _ in rows]
        visitors = [count for _, count, _ in rows]
        sources = [
            value
            for _, count, social in rows
            for value in ((count - social) // 5, social, 0, count - social - (count - social) // 5, 0)
        ]
        text = "".join(f"{n}\t{path}\t{title}\n" for n, path, title in zip(visitors, paths, titles, strict=True))
        self.database.rows(
            "select publish_refresh(%s, null, %s, null, %s, 3000, 100, %s, %s, %s, %s, %s::int[], %s::int[],"
            " 200, 199, 0)",
            self.host,
            b"d" * 32,
            self.midnight + timedelta(seconds=self.second),
            text,
            paths,
            titles,
            [""] * len(rows),
            visitors,
            sources,
        )


@pytest.fixture
def receiver(folder: Path) -> Iterator[Receiver]:
    one = Receiver(folder).start()
    yield one
    one.stop()


@pytest.fixture
def outbox(postgres: Postgres, tmp_path: Path) -> Iterator[Outbox]:
    database = postgres.new_database()
    one = Outbox(database, tmp_path, UPBEAT_BOARD_URL="https://up.example/board/")
    yield one
    one.check_log()
    database.close()


def play_a_day(outbox: Outbox, host: str, seed: int) -> None:
    """upbeat-alert is killed while it looks at every second part of the day, and once more at its end."""
    day = Day(outbox.database, host, seed)
    dice = random.Random(seed)
    one = outbox.run()

    def has_looked() -> bool:
        return outbox.database.value(
            "select looked_at = taken_at from event_progress join cache using (host) where host = %s", host
        )

    while day.hour < LAST:
        day.play(CHUNK_S)
        if dice.random() < 0.5:
            one.send_signal(signal.SIGKILL)
            one.wait()
            one = outbox.run()
        await_true(has_looked, 20, f"a look at {host} up to {day.hour} h")
    one.kill()
    one.wait()
    # The clock on the wall went on for half a minute.
    outbox.database.rows("update outbox set created_at = created_at - interval '1 minute'")
    outbox.database.rows("update outbox_events set due_at = clock_timestamp() where delivery_id is null")
    outbox.database.rows("update channels set lease_until = null, lease = null")
    outbox.once()
    assert outbox.database.value("select count(*) from outbox where state = 'waiting'") == 0
    assert outbox.database.value("select count(*) from outbox_events where delivery_id is null") == 0


def check_hook(receiver: Receiver, secret: str, host: str) -> None:
    told: dict[str, Any] = {}
    for one in receiver.requests("/200/hook"):
        body, headers = json.loads(one["body"]), one["headers"]
        signed = signature(secret, headers["webhook-id"], headers["webhook-timestamp"], one["body"])
        assert headers["webhook-signature"] == signed
        if body["data"]["host"] == host:
            assert told.setdefault(headers["webhook-id"], body) == body  # sent again after a kill: the same
    began, ended = told.values()
    assert (began["type"], ended["type"]) == ("rise.began", "rise.ended")
    data = began["data"]
    assert (data["path"], data["title"], data["cause"], data["ended_at"]) == ("/p20", "Page 20", "social", None), data
    assert data["ratio"] >= 1.5 and data["sources"]["social"] > 50
    assert data["url"] == f"https://{host}/p20"
    assert data["board_url"] == f"https://up.example/board/#host={host}&page=/p20"
    assert ended["data"]["id"] == data["id"] and ended["data"]["ended_at"] > data["began_at"]
    assert ended["data"]["peak"] > data["visitors"]


def check_slack(receiver: Receiver, host: str) -> None:
    bodies = {one["body"] for one in receiver.requests("/word/200/ok/slack") if host.encode() in one["body"]}
    texts = sorted(json.loads(body)["blocks"][0]["text"]["text"] for body in bodies)
    assert len(texts) == 2, texts
    assert texts[0].startswith(f"No longer rising: *<https://{host}/p20|Page 20>*\nfor ")
    assert texts[1].startswith(f"Rising: *<https://{host}/p20|Page 20>*\n")
    assert " × expected: " in texts[1] and ", social +" in texts[1] and "█" in texts[1]


@pytest.mark.once
@pytest.mark.unhurried
def test_a_day_is_told_rightly_twice_in_a_row(outbox: Outbox, receiver: Receiver) -> None:
    secret = good(outbox, "channel", "add", "hook", "webhook", f"{receiver.url}/200/hook").strip()
    good(outbox, "channel", "add", "room", "slack", "-", text=f"{receiver.url}/word/200/ok/slack\n")
    for channel in ("hook", "room"):
        good(outbox, "rule", "add", channel)
    assert PROGRAM.exists()
    for seed, host in enumerate(("first.example", "second.example")):
        play_a_day(outbox, host, seed)
        found = outbox.database.rows(
            "select kind, path, causes::text, ended_at is null, title, began_at from events where host = %s"
            " order by began_at",
            host,
        )
        assert [row[:4] for row in found] == [
            ("rise", "/p20", "{social}", False),
            ("outage", None, "{}", False),
            ("headline", "/p10", "{}", False),
        ], found
        assert found[2][4] == "What it is really about"
        effect = outbox.database.rows(
            "select visitors / expected, score from events where host = %s and kind = 'headline'", host
        )[0]
        assert 1.15 < effect[0] < 1.6 and effect[1] >= 2
        check_hook(receiver, secret, host)
        check_slack(receiver, host)
    assert outbox.database.value("select count(*) from outbox") == 8
