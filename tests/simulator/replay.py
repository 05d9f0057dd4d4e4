"""Recorded traffic: a page's concurrents at second t are its distinct visitors in (t-300, t]."""

from bisect import bisect_right
from collections import Counter
from pathlib import Path

from pages import Page

WINDOW_S = 300


class Traffic:
    """Requests of a file with the columns second, visitor, path, in the order of time."""

    def __init__(self, file: str) -> None:
        """Raises ValueError for a line that is not a request, OSError for an unreadable file."""
        self.seconds: list[int] = []
        self.visits: list[tuple[str, str]] = []
        lines = Path(file).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines[1:], 2):
            fields = line.split("\t")
            if len(fields) != 3 or not fields[0].isdigit():
                raise ValueError(f"{file}, line {number}: not second, visitor, path")
            if self.seconds and int(fields[0]) < self.seconds[-1]:
                raise ValueError(f"{file}, line {number}: goes back in time")
            self.seconds.append(int(fields[0]))
            self.visits.append((fields[2], fields[1]))

    def until(self, t: int) -> int:
        """The number of requests up to and with second `t`."""
        return bisect_right(self.seconds, t)


class Window:
    """The last WINDOW_S of the traffic; a step forward costs what enters and leaves."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._clear(0)

    def _clear(self, at: int) -> None:
        self._first = self._end = at
        self._requests: Counter[tuple[str, str]] = Counter()
        self._visitors: Counter[str] = Counter()

    def move(self, t: int) -> None:
        first, end = self._traffic.until(t - WINDOW_S), self._traffic.until(t)
        if end < self._end or first < self._first or first >= self._end:
            self._clear(first)
        for visit in self._traffic.visits[self._end : end]:
            self._requests[visit] += 1
            if self._requests[visit] == 1:
                self._visitors[visit[0]] += 1
        for visit in self._traffic.visits[self._first : first]:
            self._requests[visit] -= 1
            if not self._requests[visit]:
                del self._requests[visit]
                self._visitors[visit[0]] -= 1
        self._first, self._end = first, end

    def top(self, limit: int) -> list[Page]:
        """The pages with most visitors, then by path."""
        rows = sorted((-n, path) for path, n in self._visitors.items() if n)
        return [Page(path, _title(path), -n) for n, path in rows[:limit]]


def _title(path: str) -> str:
    words = path.rsplit(".", 1)[0].replace("-", " ").replace("_", " ").split("/")
    return " – ".join(word for word in reversed(words) if word) or "Front page"
