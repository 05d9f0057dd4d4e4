"""One cluster, its load, and one scenario after the other."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable
from urllib.request import Request

from app import App
from clients import Answer, Traffic
from machines import DIRECT, NAMES, Cluster, send, until
from newsroom import Newsroom
from scenarios import Scenario
from screen import Screen
from servers.processes import allow_s, await_true
from witness import Witness

TTL_S = 3.0
CLOSEST_S = 0.74 * TTL_S  # the clock refreshes a host after three quarters of its interval, at the earliest
FRESH_S = TTL_S + 2  # an answer that is older says that something is not as before
QUIET_S = 4.0  # for so long all must be as before
GIVE_UP_S = 120.0
LATE_S = 0.5  # clients that are later than this say nothing of how long an answer takes
# The bound is 15 + 2 s. Patroni needs its ttl and, where the primary is frozen, 2 s in which it waits for its answer;
# our own part of it is to find the new one.
COLD_S, COLD_SHORT_S = 17.0, 11.0
TOLD_WITHIN_S = 50.0  # the lease of one who is gone, and two turns of the back-off


@dataclass
class Result:
    """`lines` are what broke a limit."""

    cells: list[str]
    broken: list[str]


class Rehearsal:
    def __init__(self, folder: Path, is_short: bool) -> None:
        self.folder, self.is_short = folder, is_short
        self.long_s, self.frozen_s = (12.0, 16.0) if is_short else (25.0, 40.0)
        self.warm_up_s = 8.0 if is_short else 15.0
        self.leader = ""
        self.apps: dict[str, App] = {}
        self._wanted: Any = None

    def __enter__(self) -> "Rehearsal":
        self.cluster = Cluster(self.folder, self.is_short)
        self.traffic = Traffic().start()
        try:
            self.cluster.start()
            secret = self.folder / "secret"
            secret.write_text("a secret of the tests, long enough for it")
            secret.chmod(0o600)
            self.apps = {name: App(self.cluster, name, self.traffic.upstream_url, secret) for name in "ab"}
            self.witness = Witness(self.cluster).start()
            if not self.is_short:
                self.screen = Screen()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.traffic.stop()
        for part in ("witness", "newsroom", "screen"):
            if hasattr(self, part):
                getattr(self, part).stop()
        if self._wanted:
            for app in self.apps.values():
                app.stop()
        self.cluster.stop()

    # --- What scenarios use -------------------------------------------------------------------------------------------

    @staticmethod
    def signal(pid: int, sign: int) -> None:
        send([pid], sign)

    @staticmethod
    def aside(call: Callable[[], object]) -> None:
        threading.Thread(target=call, daemon=True).start()

    def etcd_leader(self) -> str:
        for name in NAMES:
            url = f"http://{self.cluster.addresses[name]}:2379/v3/maintenance/status"
            with contextlib.suppress(OSError), DIRECT.open(Request(url, b"{}", method="POST"), timeout=2) as answer:
                status = json.load(answer)
                if status["leader"] == status["header"]["member_id"]:
                    return name
        return "a"

    def start_app(self, name: str) -> None:
        scenario, leader = self._wanted
        at = "ab".index(name)
        order = leader if scenario.orders[at] == "leader" else NAMES[(NAMES.index(leader) + 1) % len(NAMES)]
        clock_s = scenario.clock_s if name == "b" else 0.0
        reads = self.cluster.string("standbys", self.cluster.standby(scenario.reads))
        self.apps[name].start(scenario.routes[at], order, clock_s, UPBEAT_DATABASE_READ=reads)
        self.traffic.urls[name] = self.apps[name].url

    # --- One scenario -------------------------------------------------------------------------------------------------

    def _prepare(self, scenario: Scenario) -> None:
        await_true(self.cluster.is_whole, 90, f"a whole cluster; see {self.folder}")
        self.leader = await_true(self.cluster.leader, 60, "the primary")
        if self._wanted:
            for app in self.apps.values():
                app.stop()
        self._wanted = (scenario, self.leader)
        for name in self.apps:
            self.start_app(name)
        if not hasattr(self, "newsroom"):
            self.apps["a"].alert("channel", "add", "desk", "webhook", self.traffic.hook_url)
            self.newsroom = Newsroom(self.cluster).start()
        self.traffic.is_asking = self.newsroom.is_writing = True
        if not self.is_short:
            self.screen.open(self.apps["a"].url, "warm-0.example")
        time.sleep(self.warm_up_s)

    def _is_bad(self, one: Answer) -> bool:
        """Not as before: neither is an answer that the clients waited for longer than for a refresh."""
        if one.is_cold:
            return one.status != 200
        return one.status != 200 or one.age_s > FRESH_S

    def play(self, scenario: Scenario) -> Result:
        self._prepare(scenario)
        if not self.is_short:
            self.screen.begin()
        at_s = time.monotonic()
        mend = scenario.breaks(self)
        mend_s = mend[0] if mend else 10.0
        is_mended = False
        while (now_s := time.monotonic()) - at_s < GIVE_UP_S:
            if not is_mended and now_s - at_s >= mend_s:
                is_mended = True
                if mend:
                    mend[1]()
            last_s = max((one.at_s + one.took_s for one in self._since(at_s) if self._is_bad(one)), default=at_s)
            if is_mended and now_s - max(last_s, at_s + mend_s) > QUIET_S:
                break
            time.sleep(0.2)
        self.traffic.is_asking = False
        whole_within_s = allow_s(90)
        is_whole = until(self.cluster.is_whole, whole_within_s) < whole_within_s
        self.newsroom.pause()
        until(lambda: self.newsroom.untold() == 0, allow_s(TOLD_WITHIN_S))
        return self._judge(scenario, at_s, last_s, is_whole)

    def _since(self, at_s: float) -> list[Answer]:
        return [one for one in self.traffic.answers.copy() if one.at_s >= at_s]

    def _judge(self, scenario: Scenario, at_s: float, last_s: float, is_whole: bool) -> Result:
        answers = self._since(at_s)
        warm, cold = ([one for one in answers if one.is_cold == is_cold] for is_cold in (False, True))
        refused = [one for one in warm if one.status != 200]
        share = 100 * len(refused) / max(len(warm), 1)
        stale = [one for one in warm if one.status == 200 and (one.warned or one.age_s > FRESH_S)]
        cold_bad = [one.at_s for one in cold if one.status != 200]
        cold_s = max(cold_bad) - min(cold_bad) + 0.5 if cold_bad else 0.0
        slowest = [max((one.took_s for one in some), default=0.0) for some in (warm, cold)]
        lost, doubled = self._compare()
        deliveries, twice = self._deliveries(at_s)
        untold = self.newsroom.untold()
        witnessed, changes = self.witness.lost(), self.witness.changes(at_s)
        most, mean = self._upstream(at_s)
        late_s = max((late_s for when_s, late_s in self.traffic.late if when_s >= at_s), default=0.0)
        kinds = {one.status for one in refused}
        words = f"{len(refused)} of {len(warm)}"
        if refused:
            words += f" ({share:.1f} %: {', '.join(str(kind) for kind in sorted(kinds))})"
        stale_words = f"{self._seconds(stale)} s, up to {max(one.age_s for one in stale)} s old" if stale else "–"
        cells = [
            scenario.name + (f" (busy machine: clients {late_s:.1f} s late)" if late_s > LATE_S else ""),
            words,
            stale_words,
            f"{cold_s:.1f} s" if cold_bad else "–",
            f"{slowest[0]:.2f} s, {slowest[1]:.2f} s",
            f"{lost}, {doubled}",
            f"{witnessed}",
            f"{most}, {mean:.2f}",
            f"{untold}, {twice} of {deliveries}",
            self._board(),
            f"{last_s - at_s:.1f} s",
        ]
        cold_most_s = COLD_SHORT_S if self.is_short else COLD_S
        heard = [
            (share <= 0.1, f"{share:.2f} % of the answers for warm hosts are not 200"),
            (cold_s <= allow_s(cold_most_s), f"cold hosts are refused for {cold_s:.1f} s"),
            (slowest[0] <= allow_s(1.0), f"the slowest answer for a warm host took {slowest[0]:.2f} s"),
            (slowest[1] <= allow_s(2.6), f"the slowest answer for a cold host took {slowest[1]:.2f} s"),
        ]
        kept = [
            (lost == 0, f"{lost} snapshots that clients have seen are lost"),
            (doubled == 0, f"{doubled} snapshots are stored twice"),
            (untold == 0, f"{untold} events are not delivered"),
            (twice == 0, f"{twice} deliveries are doubled"),
            (witnessed == 0, f"{witnessed} acknowledged writes are lost"),
            (changes <= scenario.failovers, f"the machine that acknowledges changed {changes} times"),
            (most <= 2, f"{most} requests to Chartbeat for one host in one TTL"),
            (self.is_short or self.screen.fewest > 0, "the board went blank"),
            (is_whole, "the cluster is not whole again"),
        ]
        if late_s > LATE_S:
            for text in (text for holds, text in heard if not holds):
                print(f"not judged, since the clients came {late_s:.1f} s late: {text}")
            heard = []
        return Result(cells, [f"{scenario.name}: {text}" for holds, text in heard + kept if not holds])

    @staticmethod
    def _seconds(answers: list[Answer]) -> int:
        """In how many different seconds there was one."""
        return len({int(one.at_s) for one in answers})

    def _deliveries(self, at_s: float) -> tuple[int, int]:
        """How many messages came, and how many of these came before, too."""
        names = [name for when_s, name in self.traffic.deliveries.copy() if when_s >= at_s]
        return len(names), len(names) - len(set(names))

    def _board(self) -> str:
        return "–" if self.is_short else f"{', '.join(self.screen.states)}; {self.screen.fewest} rows"

    def _compare(self) -> tuple[int, int]:
        """Numbers that clients have seen and that are not stored; numbers that are stored twice."""
        rows = self.cluster.sql(
            "select host, visitors, count(*) from snapshot_pages where path = '/counter'"
            " and time > now() - interval '1 hour' group by 1, 2"
        )
        stored = {(host, number): count for host, number, count in rows}
        seen = {(one.host, one.number) for one in self.traffic.answers.copy() if one.number}
        return len(seen - set(stored)), sum(count > 1 for count in stored.values())

    def _upstream(self, at_s: float) -> tuple[int, float]:
        """The most requests for one host within CLOSEST_S, and how many a warm one has in a TTL on average."""
        most, warm = 0, []
        for host, times in self.traffic.asked.copy().items():
            times = [one for one in times if one >= at_s]
            near = [sum(one <= other < one + CLOSEST_S for other in times) for one in times]
            most = max([most, *near])
            if host.startswith("warm") and len(times) > 1:
                warm.append(TTL_S * (len(times) - 1) / (times[-1] - times[0]))
        return most, sum(warm) / max(len(warm), 1)
