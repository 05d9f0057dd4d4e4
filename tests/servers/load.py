"""Clients that ask all the time, beside what a test does."""

import threading
import time
from typing import Any

from .processes import await_true
from .stack import Stack


class Load:
    """`answers` are (second of the start, seconds it took, status or what went wrong)."""

    def __init__(self, stack: Stack, host: str, clients: int = 8, pause_s: float = 0.0) -> None:
        self.answers: list[tuple[float, float, Any]] = []
        self._stack, self._host, self._pause_s = stack, host, pause_s
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._over.is_set():
            started_s = time.monotonic()
            try:
                status: Any = self._stack.rising(self._host).status
            except OSError as fault:
                status = repr(fault)
            self.answers.append((started_s, time.monotonic() - started_s, status))
            if self._pause_s:
                self._over.wait(self._pause_s)

    def statuses(self, after_s: float = 0.0, before_s: float = float("inf")) -> set[Any]:
        """Of those that were asked between these two seconds of time.monotonic()."""
        return {status for at_s, _, status in self.answers if after_s <= at_s < before_s}

    def count(self, status: Any) -> int:
        return sum(one[2] == status for one in self.answers)

    def slowest_s(self, after_s: float = 0.0, before_s: float = float("inf")) -> float:
        return max(took_s for at_s, took_s, _ in self.answers if after_s <= at_s < before_s)

    def quantile_s(self, share: float, after_s: float = 0.0) -> float:
        times = sorted(took_s for at_s, took_s, _ in self.answers if at_s >= after_s)
        return times[min(int(len(times) * share), len(times) - 1)]

    def await_more(self, count: int) -> None:
        aim = len(self.answers) + count
        await_true(lambda: len(self.answers) >= aim, 30, f"{count} more answers")

    def await_status(self, status: int, within_s: float) -> float:
        """Seconds until somebody who asks from now on gets it."""
        from_s = time.monotonic()
        await_true(lambda: status in self.statuses(after_s=from_s), within_s, f"an answer {status}")
        return time.monotonic() - from_s

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
