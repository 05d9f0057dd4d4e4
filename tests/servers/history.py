"""The upkeep of the history as a process: what is due once, or for ever."""

import signal
import subprocess

from .processes import build_folder, end
from .stack import Stack


class History:
    """With the settings of a stack's pool, and more of its own."""

    def __init__(self, stack: Stack, **settings: str) -> None:
        self._environment = stack.pool.environment | settings
        self._log = stack.folder / "history.log"
        self._process: subprocess.Popen[bytes] | None = None
        if self._log not in stack.logs:
            stack.logs.append(self._log)

    def _command(self, *arguments: str) -> list[str]:
        return [str(build_folder() / "fcgi" / "upbeat-history"), *arguments]

    def run(self, *arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
        """To its end; what it logs is kept for the search for keys."""
        ended = subprocess.run(
            self._command(*arguments),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=within_s,
        )
        with open(self._log, "a", encoding="utf-8") as log:
            log.write(ended.stdout + ended.stderr)
        return ended

    def start(self, *arguments: str) -> "History":
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                self._command(*arguments),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    @property
    def is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def wait(self, within_s: float = 30) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def stop(self, sign: int = signal.SIGTERM) -> int | None:
        process, self._process = self._process, None
        return end(process, sign)
