"""Processes as they are started for real: spawn-fcgi makes the socket, multiwatch keeps so many of them alive."""

import os
import signal
import subprocess
from pathlib import Path

from .processes import await_true, children_of, end

CHECKS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:disable_coredump=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Watched:
    """`settings` are the environment; `name` is that of the socket and the log."""

    def __init__(self, folder: Path, name: str, settings: dict[str, str], count: int, *command: str) -> None:
        self.folder = folder
        self.socket = folder / f"{name}.sock"
        self.log = folder / f"{name}.log"
        places = {"UPBEAT_RUN_DIR": str(folder), "UPBEAT_FETCH_SOCKET": str(folder / "fetch.sock")}
        self.settings = places | settings
        self.count = count
        self.command = list(command)
        self.prefix: list[str] = []  # in front of all of it
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | CHECKS | self.settings

    def spawn(self) -> None:
        watch = ["/usr/bin/multiwatch", "-r", "1000000", "-f", str(self.count), "--", *self.command]
        self.socket.unlink(missing_ok=True)
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, "spawn-fcgi", "-n", "-b", "4096", "-s", str(self.socket), "-M", "0660", "--", *watch],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_true(self.is_whole, 20, f"{self.count} processes; see {self.log}")

    def is_whole(self) -> bool:
        return self.socket.exists() and len(self.pids()) == self.count

    def stop(self) -> int | None:
        """Drains; the exit status of multiwatch."""
        process, self._process = self._process, None
        return end(process, signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        return children_of(self.pid)

    def send(self, sign: int) -> None:
        """To each of the processes, and not to multiwatch, which would start successors in their place."""
        for pid in self.pids():
            os.kill(pid, sign)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
