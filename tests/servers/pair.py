"""A primary and its synchronous standby, and what may befall them."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from .postgres import BIN, Postgres
from .processes import as_user, await_true, children_of, own_by
from .stack import PATH, Answer, Stack

REPLICATION = "wal_level = replica\nmax_wal_senders = 5\nhot_standby = on\n"


def make_pair(place: Path, settings: str = "") -> tuple[Postgres, Postgres]:
    """Both are running; the standby has confirmed what the primary acknowledged."""
    place.chmod(0o755)
    primary = Postgres(place / "a", REPLICATION + settings).make()
    standby = Postgres(place / "b")
    standby.folder.mkdir()
    own_by(standby.folder, "postgres")
    words = ["-h", str(primary.folder), "-U", "postgres", "-D", str(standby.cluster), "-c", "fast"]
    subprocess.run(as_user("postgres") + [str(BIN / "pg_basebackup"), *words], check=True)
    conninfo = f"host={primary.folder} user=postgres application_name=standby"
    with open(standby.cluster / "postgresql.auto.conf", "a", encoding="utf-8") as conf:
        conf.write(f"primary_conninfo = '{conninfo}'\nunix_socket_directories = '{standby.folder}'\n")
    (standby.cluster / "standby.signal").touch()
    own_by(standby.cluster / "standby.signal", "postgres")
    standby.start()
    primary.execute("alter system set synchronous_standby_names = 'standby'")
    primary.execute("select pg_reload_conf()")
    state = "select sync_state from pg_stat_replication"
    await_true(lambda: primary.value(state) == "sync", 20, "a synchronous standby")
    return primary, standby


def both(first: Postgres, second: Postgres, database: str, attributes: str = "read-write") -> str:
    """A connection string."""
    return (
        f"host={first.folder},{second.folder} port=5432,5432 dbname={database}"
        f" target_session_attrs={attributes}"
    )


def promote(standby: Postgres) -> None:
    command = as_user("postgres") + [str(BIN / "pg_ctl"), "-D", str(standby.cluster), "-w", "promote"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def kill(postgres: Postgres) -> None:
    """All of its processes. A child that outlived the others would keep their memory, and the next start out."""
    os.kill(postgres.pid, signal.SIGSTOP)  # so that it makes no more of them
    for pid in [*children_of(postgres.pid), postgres.pid]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Frozen:
    """Stops every process of a server, and lets them go on at the end."""

    def __init__(self, postgres: Postgres) -> None:
        self._pids = [postgres.pid]

    def __enter__(self) -> "Frozen":
        os.kill(self._pids[0], signal.SIGSTOP)  # first, so that it makes no more of them
        self._pids += children_of(self._pids[0])
        for pid in self._pids[1:]:
            os.kill(pid, signal.SIGSTOP)
        return self

    def __exit__(self, *_: Any) -> None:
        for pid in self._pids:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass


class Viewers:
    """Ask the same questions over and over, each of them on a thread of its own. `questions`: path and parameters."""

    def __init__(self, stack: Stack, questions: list[tuple[str, dict[str, Any]]], key: str, pause_s: float) -> None:
        self.answers: list[tuple[float, float, str, Answer]] = []  # second, seconds it took, path, answer
        self._stack, self._key, self._pause_s = stack, key, pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=question) for question in questions]

    def _ask(self, path: str, parameters: dict[str, Any]) -> None:
        while not self._over.is_set():
            started_s = time.monotonic()
            answer = self._stack.ask(path, headers={"X-CB-AK": self._key}, **parameters)
            self.answers.append((started_s, time.monotonic() - started_s, path, answer))
            self._over.wait(self._pause_s)

    def after(self, second: float) -> list[Answer]:
        return [answer for at_s, _, _, answer in self.answers if at_s >= second]

    def slowest_s(self) -> float:
        return max(took_s for _, took_s, _, _ in self.answers)

    def await_more(self, count: int) -> None:
        aim = len(self.answers) + count
        await_true(lambda: len(self.answers) >= aim, 30, f"{count} more answers")

    def __enter__(self) -> "Viewers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def questions(host: str, lists: int = 2) -> list[tuple[str, dict[str, Any]]]:
    """What a board asks for, and some who ask for the list alone."""
    board = [("/api/v1.0/trends", {"host": host, "spark": 1}), ("/api/v1.0/events", {"host": host, "limit": 30})]
    return board + [(PATH, {"host": host})] * lists
