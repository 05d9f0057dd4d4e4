"""A random schedule of faults against the whole service; see tests/chaos."""

import http.client
import os
import random
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

from servers.postgres import Postgres
from servers.processes import allow_s, await_true, children_of, command_line
from servers.stack import KEY, Stack

HOSTS = [f"site{n}.example" for n in range(6)]
WORKERS = 6
CLIENTS = 8
CALM_S = 4.0  # between two faults
BACK_OFF_MAX_S = 70


@dataclass
class Heard:
    """What clients heard: the end of each request, its status, and the snapshots that were served."""

    answers: list[tuple[float, float, str, int]] = field(default_factory=list)
    snapshots: dict[str, set[int]] = field(default_factory=lambda: {host: set() for host in HOSTS})


def ask(stack: Stack, host: str, heard: Heard) -> None:
    started_s = time.monotonic()
    try:
        answer = stack.rising(host)
        status = answer.status
        if status == 200:
            # The tag starts with the time of the snapshot: that is what was acknowledged.
            heard.snapshots[host].add(int(answer.headers["ETag"][1:].split("-")[0], 16))
    except (OSError, http.client.HTTPException):
        status = 0
    heard.answers.append((started_s, time.monotonic(), host, status))


def client(stack: Stack, heard: Heard, over: threading.Event, seed: int) -> None:
    dice = random.Random(seed)
    while not over.is_set():
        ask(stack, dice.choice(HOSTS), heard)
        over.wait(0.01)


class Faults:
    """Each does its fault, undoes it, and returns when clients may expect 200 again."""

    def __init__(self, stack: Stack, postgres: Postgres, dice: random.Random) -> None:
        self._stack, self._postgres, self._dice = stack, postgres, dice

    def names(self) -> list[str]:
        return sorted(name for name in dir(self) if name.startswith("fault_"))

    def _worker(self) -> int:
        return self._dice.choice(await_true(self._stack.pool.workers, 5))

    def fault_worker_killed(self) -> None:
        os.kill(self._worker(), signal.SIGKILL)

    def fault_worker_told_to_stop(self) -> None:
        os.kill(self._worker(), signal.SIGTERM)

    def fault_worker_frozen(self) -> None:
        """Until nginx has given up on its requests."""
        victim = self._worker()
        os.kill(victim, signal.SIGSTOP)
        time.sleep(7)
        os.kill(victim, signal.SIGCONT)

    def fault_every_worker_replaced(self) -> None:
        for worker in self._stack.pool.workers():
            os.kill(worker, signal.SIGTERM)
            await_true(lambda: worker not in self._stack.pool.workers(), 10)
            await_true(lambda: len(self._stack.pool.workers()) == WORKERS, 10)

    def fault_backend_killed(self) -> None:
        victims = [
            pid
            for pid in children_of(self._postgres.pid)
            if b" upbeat_" in command_line(pid)
        ]
        if victims:
            os.kill(self._dice.choice(victims), signal.SIGKILL)
            # The server ends them all as soon as it has noticed.
            await_true(lambda: not set(victims) & set(children_of(self._postgres.pid)), 30)
        await_true(self._postgres.is_ready, 30)

    def fault_database_restarted(self) -> None:
        self._postgres.stop()
        self._postgres.start()

    def fault_database_crashed(self) -> None:
        self._postgres.stop(signal.SIGQUIT)
        self._postgres.start()

    def fault_database_frozen(self) -> None:
        frozen = [self._postgres.pid]
        os.kill(frozen[0], signal.SIGSTOP)
        for pid in children_of(frozen[0]):
            os.kill(pid, signal.SIGSTOP)
            frozen.append(pid)
        time.sleep(self._dice.uniform(0.5, 4))
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    def _upstream(self, kind: str, **parameters: Any) -> None:
        host = self._dice.choice(["*", *HOSTS])
        self._stack.simulator.fault(host, kind, **parameters)
        time.sleep(self._dice.uniform(1, 4))
        self._stack.simulator.end_faults()

    def fault_upstream_hangs(self) -> None:
        self._upstream("hang")

    def fault_upstream_drips(self) -> None:
        self._upstream("drip")

    def fault_upstream_fails(self) -> None:
        self._upstream(
            self._dice.choice(["status", "close", "cut", "html_200", "maintenance", "data"])
        )

    def fault_upstream_says_429(self) -> None:
        self._upstream("retry_after", value=3)


def run_faults(faults: Faults, dice: random.Random, until_s: float) -> list[tuple[float, float]]:
    """The windows in which clients may hear a 5xx: a fault, and the deadline of who came in it."""
    windows = []
    while time.monotonic() < until_s:
        time.sleep(dice.uniform(0.5, CALM_S))
        name = dice.choice(faults.names())
        started_s = time.monotonic()
        getattr(faults, name)()
        ended_s = time.monotonic()
        windows.append((started_s, ended_s + allow_s(1.5)))
        print(f"{name[6:]:24} {ended_s - started_s:5.1f} s", flush=True)
    return windows


def outside(answers: list[Any], windows: list[tuple[float, float]]) -> list[Any]:
    """Failed requests that touch no window."""
    return [
        one
        for one in answers
        if (one[3] == 0 or one[3] >= 500)
        and not any(one[0] <= end_s and one[1] >= start_s for start_s, end_s in windows)
    ]


def check(name: str, holds: bool, more: str = "") -> bool:
    print(f"{'ok' if holds else 'FAILED'} {name}{': ' + more if more else ''}", flush=True)
    return holds


def check_end(stack: Stack, heard: Heard, windows: list[tuple[float, float]]) -> bool:
    stuck = []
    for host in HOSTS:
        fresh: Callable[[], bool] = lambda: "Warning" not in stack.rising(host).headers
        try:
            await_true(fresh, BACK_OFF_MAX_S)
        except AssertionError:
            stuck.append(host)
    stored = stack.database.rows(
        "select host, (extract(epoch from taken_at) * 1000000)::bigint from snapshots"
    )
    served = {(host, at) for host, seen in heard.snapshots.items() for at in seen}
    lost = served - set(stored)
    bad = outside(heard.answers, windows)
    whole = len(stack.pool.workers()) == WORKERS
    failed = sum(one[3] == 0 or one[3] >= 500 for one in heard.answers)
    said = f"{len(heard.answers)} requests, {failed} failed within {len(windows)} faults"
    return all(
        [
            check("no 5xx outside the faults", not bad, f"{said}, {len(bad)} outside {bad[:3]}"),
            check(
                "nothing acknowledged is lost", not lost, f"{len(served)} served, {len(lost)} lost"
            ),
            check(
                "nothing is there twice", len(stored) == len(set(stored)), f"{len(stored)} stored"
            ),
            check("no host is stuck", not stuck, str(stuck) if stuck else ""),
            check("the pool is whole", whole),
        ]
    )


def main() -> int:
    seconds, seed = float(sys.argv[1]), int(sys.argv[2])
    dice = random.Random(seed)
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        postgres = Postgres(folder / "pg").make()
        (folder / "stack").mkdir()
        simulator = {"source": "model", "latency_ms": 100, "key": f"{KEY}=*"}
        stack = Stack(
            folder / "stack", postgres.new_database(), simulator, UPBEAT_WORKERS=str(WORKERS)
        ).start()
        heard, over = Heard(), threading.Event()
        for host in HOSTS:
            await_true(lambda: stack.rising(host).status == 200, 20)
        threads = [
            threading.Thread(target=client, args=(stack, heard, over, seed + n))
            for n in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        try:
            until_s = time.monotonic() + seconds
            windows = run_faults(Faults(stack, postgres, dice), dice, until_s)
            time.sleep(3)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        good = check_end(stack, heard, windows)
        try:
            stack.stop()
        except AssertionError as fault:
            good = check("logs", False, str(fault))
        postgres.stop()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
