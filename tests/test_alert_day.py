"""The day of tests/simulator/day.toml, told rightly. Hours pass in seconds: each list is published as the fetcher does
it, with the time that the day's clock shows; upbeat-alert, its outbox and the receiver are real, and upbeat-alert is
killed again and again. `tests/alert_day` plays the same day through the simulator and the fetcher."""

import random
from datetime import datetime, timedelta, timezone

import pytest

from servers.day import FIRST, LAST, SCRIPT, Day, DayScript, add_channels, check_day
from servers.outbox import Outbox
from servers.processes import await_true
from servers.receiver import Receiver

STEP_S = 15
CHUNK_S = 900
ORDER = ("search", "social", "links", "direct", "internal")  # of visitors by source, as publish_refresh() takes them


class Played:
    """A host whose lists are those of the day."""

    def __init__(self, outbox: Outbox, host: str) -> None:
        self.database, self.host = outbox.database, host
        self.day = Day(DayScript(SCRIPT), host, STEP_S, FIRST * 3600)
        # Its last minute is now, so that nothing is a day old.
        self.midnight = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(hours=LAST)
        self.database.rows("insert into hosts (host) values (%s)", host)
        self.database.rows("insert into refreshes (host) values (%s) on conflict do nothing", host)

    def play(self, seconds: int) -> None:
        for _ in range(seconds // STEP_S):
            self.day.advance(self.day.step + 1)
            self.publish()

    def publish(self) -> None:
        rows = self.day.top(100)
        self.database.rows(
            "select publish_refresh(%s, null, %s, null, %s, 3000, 100, %s, %s, %s, %s, %s::int[], %s::int[],"
            " 200, 199, 0)",
            self.host,
            b"d" * 32,
            self.midnight + timedelta(seconds=self.day.t),
            "".join(f"{row.visitors}\t{row.path}\t{row.title}\n" for row in rows),
            [row.path for row in rows],
            [row.title for row in rows],
            [""] * len(rows),
            [row.visitors for row in rows],
            [row.extra["stats"][source] for row in rows for source in ORDER],
        )


def play_a_day(outbox: Outbox, host: str, seed: int) -> None:
    """upbeat-alert is killed while it looks at every second part of the day, and once more at its end."""
    played = Played(outbox, host)
    dice = random.Random(seed)
    one = outbox.run()

    def has_looked() -> bool:
        return outbox.database.value(
            "select looked_at = taken_at from event_progress join cache using (host) where host = %s", host
        )

    while played.day.t < LAST * 3600:
        played.play(CHUNK_S)
        if dice.random() < 0.5:
            outbox.kill(one)
            one = outbox.run()
        await_true(has_looked, 20, f"a look at {host} up to {played.day.t / 3600} h")
    outbox.kill(one)
    # The clock on the wall went on for half a minute.
    outbox.database.rows("update outbox set created_at = created_at - interval '1 minute'")
    outbox.database.rows("update outbox_events set due_at = clock_timestamp() where delivery_id is null")
    outbox.database.rows("update channels set lease_until = null, lease = null")
    outbox.once()
    assert outbox.database.value("select count(*) from outbox where state = 'waiting'") == 0
    assert outbox.database.value("select count(*) from outbox_events where delivery_id is null") == 0


@pytest.mark.once
@pytest.mark.unhurried
def test_a_day_is_told_rightly_twice_in_a_row(outbox: Outbox, receiver: Receiver) -> None:
    secret = add_channels(outbox, receiver)
    for seed, host in enumerate(("first.example", "second.example")):
        play_a_day(outbox, host, seed)
        check_day(outbox, receiver, secret, host)
    assert outbox.database.value("select count(*) from outbox") == 8
