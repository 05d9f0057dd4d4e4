"""The scripted day through the whole chain, by a fast clock; see tests/alert_day."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from servers.day import FIRST, add_channels, check_day
from servers.fetchers import Fetchers
from servers.outbox import BOARD, Outbox
from servers.postgres import Database, Postgres
from servers.processes import await_true, build_folder
from servers.receiver import Receiver
from servers.simulator import Simulator
from servers.stack import KEY

HOST = "news.example"
LAST = 12.0  # what the last event tells of is over at 11:46
DAYS = 2
SETTLE_S = 90  # by the fast clock: what begins within 30 s after a message waits for as long


class Clock:
    """From `start` on, `speed` times as fast as the real one, for all processes that have `environment`. It is
    libfaketime's; a process that sleeps keeps its shared memory."""

    def __init__(self, start: datetime, speed: float) -> None:
        command = ["faketime", "-f", f"@{start:%Y-%m-%d %H:%M:%S} x{speed:g}", "sh", "-c"]
        command += ['echo "$LD_PRELOAD|$FAKETIME|$FAKETIME_SHARED"; exec sleep infinity']
        plain = {name: value for name, value in os.environ.items() if name not in CLOCK_NAMES}
        self._keeper = subprocess.Popen(command, env=plain | {"TZ": "UTC"}, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout
        values = self._keeper.stdout.readline().strip().split("|")
        self.environment = dict(zip(CLOCK_NAMES, [*values, "UTC"], strict=True))
        for place in Path("/dev/shm").glob(f"*faketime_*_{self._keeper.pid}"):
            place.chmod(0o666)  # PostgreSQL runs as another user

    def stop(self) -> None:
        self._keeper.kill()
        self._keeper.wait()
        for place in Path("/dev/shm").glob(f"*faketime_*_{self._keeper.pid}"):
            place.unlink()


CLOCK_NAMES = ("LD_PRELOAD", "FAKETIME", "FAKETIME_SHARED", "TZ")


class Chain:
    """Simulator, fetchers and upbeat-alert on a running cluster."""

    def __init__(self, folder: Path, database: Database, clock: Clock, seed: int) -> None:
        self.database, self.folder = database, folder
        self.simulator = Simulator(source="day", seed=seed, latency_ms=0, key=[f"{KEY}=*"]).start()
        self.outbox = Outbox(database, folder, UPBEAT_BOARD_URL=BOARD, UPBEAT_LOG="info")
        settings = {
            "UPBEAT_DATABASE": database.conninfo(),
            "UPBEAT_SECRET_FILE": str(self.outbox.secret),
            "UPBEAT_UPSTREAM_TIMEOUT_MS": "4000",  # a fraction of it by the real clock
            "CHARTBEAT_URL": self.simulator.upstream_url + "/live/toppages/v3/",
        }
        self.fetchers = Fetchers(folder, settings | clock.environment).start()
        subprocess.run(
            [str(build_folder() / "fcgi" / "upbeat-token"), "key", "add", HOST],
            input=KEY + "\n",
            env=os.environ | self.fetchers.settings,
            text=True,
            check=True,
        )

    def now(self) -> datetime:
        return self.database.value("select clock_timestamp()").astimezone(timezone.utc)

    def hour(self) -> float:
        now = self.now()
        return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() / 3600

    def play(self, dice: random.Random, speed: float) -> int:
        """Until the day is over; how often upbeat-alert was killed."""
        kills, shown = 0, 0
        one = self.outbox.run()
        while (hour := self.hour()) < LAST:
            time.sleep(dice.uniform(20, 200) / speed)
            self.outbox.kill(one)
            kills += 1
            one = self.outbox.run()
            if int(hour * 2) > shown:
                shown = int(hour * 2)
                snapshots = self.database.value("select count(*) from snapshots where host = %s", HOST)
                print(f"{self.now():%H:%M}, {snapshots} snapshots, {kills} kills", flush=True)
        waiting = "select (select count(*) from outbox where state = 'waiting')"
        waiting += " + (select count(*) from outbox_events where delivery_id is null)"
        time.sleep(SETTLE_S / speed)
        await_true(lambda: self.database.value(waiting) == 0, 60, "an empty outbox")
        return kills

    def stop(self) -> None:
        self.outbox.stop()
        assert not self.fetchers.stop(), self.fetchers.text()[-2000:]
        self.simulator.stop()


def play_a_day(folder: Path, postgres: Postgres, database: Database, receiver: Receiver, start: datetime,
               speed: float, seed: int, secret: str) -> str:
    """Returns the secret of the webhook, which the first day makes."""
    clock = Clock(start, speed)
    os.environ.update(clock.environment)
    postgres.environment = clock.environment
    postgres.start()
    chain = Chain(folder, database, clock, seed)
    try:
        secret = secret or add_channels(chain.outbox, receiver)
        kills = chain.play(random.Random(seed), speed)
        chain.stop()
        for row in database.rows(
            "select kind, path, began_at, ended_at, round(visitors), round(expected), causes::text from events"
            " where began_at >= %s order by began_at", start
        ):
            print(*row)
        check_day(chain.outbox, receiver, secret, HOST, start)
        sent = len(receiver.requests())
        print(f"the day is told rightly: {sent} requests, upbeat-alert killed {kills} times", flush=True)
    finally:
        chain.fetchers.stop()
        chain.simulator.stop()
        for one in chain.outbox.running:
            one.kill()
        database.close()
        postgres.stop(signal.SIGINT)
        for name in CLOCK_NAMES:
            os.environ.pop(name, None)
        clock.stop()
    return secret


def main() -> None:
    speed, seed = float(sys.argv[1]), int(sys.argv[2])
    print(f"speed {speed:g}, seed {seed}", flush=True)
    today = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    secret = ""
    with tempfile.TemporaryDirectory(prefix="upbeat-day-", dir="/dev/shm") as name:
        folder = Path(name)
        folder.chmod(0o755)
        receiver = Receiver(folder).start()
        postgres = Postgres(folder / "pg").make()
        database = postgres.new_database()
        postgres.stop(signal.SIGINT)
        try:
            for day in range(DAYS):
                start = today + timedelta(days=day, hours=FIRST)
                receiver.log.write_text("")
                secret = play_a_day(folder, postgres, database, receiver, start, speed, seed + day, secret)
        finally:
            receiver.stop()


if __name__ == "__main__":
    main()
