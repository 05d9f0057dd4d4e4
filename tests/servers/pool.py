"""The pool of workers as it is started for real: spawn-fcgi, multiwatch, upbeat-fcgi."""

import os
import signal
import subprocess
from pathlib import Path

from .processes import await_true, children_of, end, worker_program


class Pool:
    """`settings` are the worker's environment; some have defaults here."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.socket = folder / "upbeat.sock"
        self.log = folder / "worker.log"
        self.settings = {"UPBEAT_RUN_DIR": str(folder), "UPBEAT_WORKERS": "4"} | settings
        self.program = worker_program()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        checks = {
            "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:disable_coredump=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"} | checks | self.settings

    def start(self) -> "Pool":
        count = self.settings["UPBEAT_WORKERS"]
        command = ["spawn-fcgi", "-n", "-s", str(self.socket), "-M", "0660", "--"]
        command += [
            "/usr/bin/multiwatch",
            "-r",
            "1000000",
            "-f",
            count,
            "--",
            str(self.program),
        ]
        self.socket.unlink(missing_ok=True)
        before = self.text().count("serving")
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_true(
            lambda: self.text().count("serving") >= before + int(count),
            20,
            f"the pool; see {self.log}",
        )
        return self

    def stop(self) -> int | None:
        """Drains; the exit status of multiwatch."""
        process, self._process = self._process, None
        return end(process, signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def workers(self) -> list[int]:
        return children_of(self.pid)

    def send(self, sign: int) -> None:
        os.kill(self.pid, sign)

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
