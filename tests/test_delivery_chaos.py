"""Two upbeat-alert beside each other, and kill -9 of them, of the receiver and of PostgreSQL's processes: nothing is
lost, nothing is sent under two ids, and an id says the same each time."""

import json
import os
import random
import secrets
import signal
import time
from collections import defaultdict
from pathlib import Path
from typing import Iterator

import psycopg
import pytest

from servers.outbox import MARK, Outbox
from servers.postgres import Postgres
from servers.processes import await_true
from servers.receiver import Receiver

pytestmark = [pytest.mark.unhurried, pytest.mark.once, pytest.mark.slow]

HOSTS = 24
CHANNELS = {"good": "/200/good", "flaky": "/flaky/one", "other": "/flaky/two"}


@pytest.fixture
def outbox(folder: Path, tmp_path: Path) -> Iterator[Outbox]:
    """On a cluster of its own, since it crashes."""
    postgres = Postgres(folder / f"pg-{secrets.token_hex(3)}").make()
    database = postgres.new_database()
    yield Outbox(database, tmp_path)
    database.close()
    postgres.stop(signal.SIGQUIT)


def persist(outbox: Outbox, host: str, **more: str) -> None:
    """As upbeat-alert itself would: again, until it is stored."""
    until = time.monotonic() + 20
    while True:
        try:
            return outbox.event(host, **more)
        except psycopg.Error:
            assert time.monotonic() < until
            time.sleep(0.1)  # PostgreSQL recovers


def test_nothing_is_lost_and_nothing_has_two_ids(outbox: Outbox, tmp_path: Path) -> None:
    dice = random.Random(24)
    receiver = Receiver(tmp_path).start()
    database = outbox.database
    for name, path in CHANNELS.items():
        outbox.channel(name, f"{receiver.url}{path}/{MARK}")
    for number in range(HOSTS):
        outbox.host(f"h{number}.example", 1)
    began = database.value("select clock_timestamp()::text")
    outbox.run()
    outbox.run()
    kills = 0
    for number in range(HOSTS):
        persist(outbox, f"h{number}.example", began=began)
        action = dice.random()
        if action < 0.2:
            place = dice.randrange(2)
            outbox.running[place].kill()
            outbox.running[place].wait()
            outbox.running[place] = outbox.run()
            outbox.running.pop()
            kills += 1
        elif action < 0.25:
            receiver.kill()
            receiver.start()
        elif action < 0.33:
            with psycopg.connect(database.postgres.conninfo("postgres", "postgres"), autocommit=True) as connection:
                pids = connection.execute("select pid from pg_stat_activity where usename = 'upbeat_alert'").fetchall()
            if pids:
                os.kill(dice.choice(pids)[0], signal.SIGKILL)
                await_true(database.postgres.is_ready, 20)
        time.sleep(dice.random() * 0.2)  # any moment will do
    for number in range(0, HOSTS, 4):
        persist(outbox, f"h{number}.example", began=began, ended_at=began)
    assert kills > 3
    wanted = len(CHANNELS) * HOSTS

    def all_is_told() -> bool:
        # The waits of the back-off are another test's.
        database.rows("update outbox set next_try_at = now() where state = 'waiting' and next_try_at > now()")
        told = database.value("select count(*) from outbox_events where not is_end and delivery_id is not null")
        left = database.value("select count(*) from outbox where state <> 'delivered'")
        held = database.value("select count(*) from outbox_events where delivery_id is null")
        return told == wanted and left == 0 and held == 0

    await_true(all_is_told, 90, "everything is told")
    outbox.stop()
    receiver.stop()
    check(outbox, receiver)


def test_what_was_delivered_while_the_database_was_away_is_not_sent_again(outbox: Outbox, tmp_path: Path) -> None:
    """The lease is over when the database comes back, and three others would like to have it."""
    receiver = Receiver(tmp_path).start()
    outbox.channel("slow", f"{receiver.url}/slow/{MARK}")
    outbox.host("h.example", 1)
    for _ in range(4):
        outbox.run()
    outbox.event("h.example")
    receiver.await_requests(f"/slow/{MARK}")
    outbox.database.rows("update channels set lease_until = now() + interval '1 second'")
    postgres = outbox.database.postgres
    postgres.stop(signal.SIGQUIT)
    await_true(lambda: "delivered" in outbox.log.read_text(), 10)
    postgres.start()
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 20)
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1


def test_an_answer_that_came_while_the_database_hung_counts(outbox: Outbox, tmp_path: Path) -> None:
    """It comes after 2 s; upbeat-alert looks for it when its statement is given up, after more than the 5 s that a
    receiver has."""
    receiver = Receiver(tmp_path).start()
    outbox.channel("slow", f"{receiver.url}/slow/{MARK}")
    outbox.host("h.example", 1)
    outbox.run()
    outbox.event("h.example")
    receiver.await_requests(f"/slow/{MARK}")
    with outbox.database.postgres.frozen():
        await_true(lambda: "delivered" in outbox.log.read_text() or "no answer" in outbox.log.read_text(), 30)
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 20)
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1


def check(outbox: Outbox, receiver: Receiver) -> None:
    for name, path in CHANNELS.items():
        bodies: dict[str, set[bytes]] = defaultdict(set)
        order: list[str] = []
        for one in receiver.requests(f"{path}/{MARK}"):
            message_id = one["headers"]["webhook-id"]
            bodies[message_id].add(one["body"])
            if message_id not in order:
                order.append(message_id)
        rows = outbox.database.rows(
            "select message_id::text from outbox join channels using (channel_id) where name = %s order by delivery_id",
            name,
        )
        assert order == [row[0] for row in rows], f"{name}: lost, or out of order"
        assert all(len(said) == 1 for said in bodies.values()), f"{name}: an id with two contents"
        told = outbox.database.rows(
            "select host, is_end, count(distinct delivery_id) from outbox_events join channels using (channel_id)"
            " where name = %s group by host, is_end",
            name,
        )
        assert all(row[2] == 1 for row in told) and len([row for row in told if not row[1]]) == HOSTS
        hosts = [event["host"] for said in bodies.values() for event in events_of(next(iter(said)))]
        assert set(hosts) == {f"h{number}.example" for number in range(HOSTS)}


def events_of(body: bytes) -> list[dict[str, str]]:
    data = json.loads(body)["data"]
    found: list[dict[str, str]] = data.get("events") or [data]
    return found
