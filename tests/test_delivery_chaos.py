"""Two upbeat-alert beside each other, and kill -9 of them, of the receiver and of PostgreSQL's processes: nothing is
lost, nothing is sent under two ids, and an id says the same each time."""

import json
import os
import random
import secrets
import signal
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
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
                with suppress(ProcessLookupError):  # it has just ended
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


def sending(outbox: Outbox, tmp_path: Path, processes: int = 1) -> Receiver:
    """A message is under way to a receiver whose answer takes 2 s."""
    receiver = Receiver(tmp_path).start()
    outbox.channel("slow", f"{receiver.url}/slow/{MARK}")
    outbox.host("h.example", 1)
    for _ in range(processes):
        outbox.run()
    outbox.event("h.example")
    receiver.await_requests(f"/slow/{MARK}")
    return receiver


def test_what_was_delivered_while_the_database_was_away_is_not_sent_again(outbox: Outbox, tmp_path: Path) -> None:
    """The lease is over when the database comes back, and three others would like to have it."""
    receiver = sending(outbox, tmp_path, processes=4)
    outbox.database.rows("update channels set lease_until = now() + interval '1 second'")
    postgres = outbox.database.postgres
    postgres.stop(signal.SIGQUIT)
    await_true(lambda: "delivered" in outbox.log.read_text(), 10)
    postgres.start()
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 20)
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1


def test_what_was_delivered_is_stored_as_soon_as_the_database_is_back(outbox: Outbox, tmp_path: Path) -> None:
    """And not with the next look, before which another process might deliver it again."""
    receiver = sending(outbox, tmp_path)
    postgres = outbox.database.postgres
    postgres.stop(signal.SIGQUIT)
    time.sleep(8)  # so long that the looks are far apart
    postgres.start()
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 20)
    after = "select extract(epoch from done_at - pg_postmaster_start_time())::float from outbox"
    after_s = outbox.database.value(after)
    assert after_s < 4, "half of the time until the next look"  # no machine is so busy that it may take that long
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1


def test_an_answer_that_came_while_the_database_hung_counts(outbox: Outbox, tmp_path: Path) -> None:
    """It comes after 2 s; upbeat-alert looks for it when its statement is given up, after more than the 5 s that a
    receiver has."""
    receiver = sending(outbox, tmp_path)
    with outbox.database.postgres.frozen():
        await_true(lambda: "delivered" in outbox.log.read_text() or "no answer" in outbox.log.read_text(), 30)
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 20)
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1


@contextmanager
def locked(outbox: Outbox, table: str) -> Iterator[None]:
    """Meanwhile whoever reads the table waits, and upbeat-alert does so already."""
    database = outbox.database
    with psycopg.connect(database.postgres.conninfo(database.name, "postgres")) as connection:
        connection.execute(f"lock table {table}")
        await_true(lambda: database.value("select count(*) from pg_locks where not granted"))
        yield


@pytest.mark.parametrize("is_late", [True, False])
def test_a_lease_that_runs_out_sends_nothing_again(outbox: Outbox, tmp_path: Path, is_late: bool) -> None:
    """It does while a statement is slow, or the process is; the answer that is not read yet is one of success."""
    receiver = sending(outbox, tmp_path)
    run_out = "update channels set lease_until = now()"
    if is_late:
        with locked(outbox, "cache"):
            time.sleep(2.5)  # the answer takes 2 s
            outbox.database.rows(run_out)
    else:
        outbox.database.rows(run_out)
    await_true(lambda: outbox.delivery("slow")["state"] == "delivered", 10)
    outbox.stop()
    receiver.stop()
    assert len(receiver.requests()) == 1
    assert outbox.database.value("select lease is null from channels")


def test_slow_statements_put_off_no_time_out_for_ever(outbox: Outbox, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path).start()
    outbox.channel("hang", f"{receiver.url}/hang/{MARK}")
    outbox.host("h.example", 1)
    outbox.run()
    outbox.event("h.example")
    began_s = receiver.await_requests(f"/hang/{MARK}")[0]["at"]
    while "no answer" not in outbox.log.read_text() and time.time() - began_s < 26:
        with locked(outbox, "cache"):
            time.sleep(5)
    assert time.time() - began_s < 25
    outbox.stop()
    receiver.stop()


def test_a_statement_that_waits_holds_up_no_stop(outbox: Outbox, tmp_path: Path) -> None:
    """systemd would kill it after 10 s; what was sent meanwhile is stored."""
    receiver = sending(outbox, tmp_path)
    with locked(outbox, "cache"):
        outbox.stop()
    receiver.stop()
    assert outbox.delivery("slow")["state"] == "delivered"


def test_once_that_is_stopped_stores_what_it_has_sent(outbox: Outbox, tmp_path: Path) -> None:
    receiver = Receiver(tmp_path).start()
    outbox.channel("slow", f"{receiver.url}/slow/{MARK}")
    outbox.host("h.example", 1)
    outbox.event("h.example")
    one = outbox.run("--once")
    receiver.await_requests(f"/slow/{MARK}")
    outbox.stop()
    receiver.stop()
    assert one.returncode == 0 and outbox.delivery("slow")["state"] == "delivered"


def test_a_host_that_takes_too_long_holds_up_no_other(outbox: Outbox) -> None:
    outbox.host("a.example")
    outbox.host("b.example")
    outbox.database.rows(
        "insert into cache (host, taken_at, pages)"
        " values ('a.example', now() - interval '1 second', ''), ('b.example', now(), '')"  # in this order
    )
    outbox.database.rows(
        "create or replace function event_records(p_host text) returns table (page_id integer, most real)"
        " language plpgsql stable as $$ begin if p_host = 'a.example' then perform pg_sleep(60); end if; end $$"
    )
    outbox.run()
    await_true(lambda: outbox.database.value("select looked_at from event_progress where host = 'b.example'"), 40)
    outbox.stop()
    assert "a.example: can't be looked at, and is left for a minute" in outbox.log.read_text()


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
