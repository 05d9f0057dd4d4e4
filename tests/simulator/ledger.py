"""Who may ask, how often, and what was asked. A key leaves this module only as its digest."""

import hashlib
import math
import time
from collections import Counter, defaultdict, deque
from typing import Any

RATE_WINDOW_S = 60.0
LOG_ENTRIES = 100_000


def key8(key: str | None) -> str | None:
    """The first 8 hex digits of the key's SHA-256; None without a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:8] if key else None


class Keys:
    """Which key is good for which hosts; `*` stands for all."""

    def __init__(self, initial: dict[str, set[str]]) -> None:
        self._initial = initial
        self.reset()

    def reset(self) -> None:
        self._hosts = {key: set(hosts) for key, hosts in self._initial.items()}

    def put(self, key: str, hosts: set[str]) -> None:
        self._hosts[key] = hosts

    def revoke(self, key: str) -> None:
        self._hosts.pop(key, None)

    def status(self, key: str | None, host: str) -> int:
        """200, 401 for an unknown key, 403 for a key without that host."""
        hosts = self._hosts.get(key or "")
        if hosts is None:
            return 401
        return 200 if host in hosts or "*" in hosts else 403


class Rate:
    """At most `limit` answers in any RATE_WINDOW_S for each host and key."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._times_s: dict[tuple[str, str], deque[float]] = {}

    def reset(self) -> None:
        self._times_s.clear()

    def take(self, host: str, key: str) -> tuple[int, int]:
        """The calls that remain, and 0 or the seconds to wait where this one is one too many."""
        now_s = time.monotonic()
        times_s = self._times_s.setdefault((host, key), deque())
        while times_s and times_s[0] <= now_s - RATE_WINDOW_S:
            times_s.popleft()
        if len(times_s) >= self.limit:
            wait_s = times_s[0] + RATE_WINDOW_S - now_s if times_s else RATE_WINDOW_S
            return 0, max(1, math.ceil(wait_s))
        times_s.append(now_s)
        return self.limit - len(times_s), 0


class Ledger:
    """Counts and the log of requests. An entry is written on arrival, its status at the end."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._requests: dict[str, Counter[str]] = defaultdict(Counter)
        self._by_status: Counter[str] = Counter()
        self._hosts: Counter[str] = Counter()
        self._total = 0
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_ENTRIES)
        # Requests from before a reset still run; they must not be taken off the new number.
        self._running: set[int] = set()

    def arrive(self, host: str, key: str | None, **what: Any) -> dict[str, Any]:
        """Writes the entry, which the caller hands back to `leave`."""
        entry = {"t": time.time(), "host": host, "key8": key8(key), "status": None, **what}
        self._log.append(entry)
        self._requests[host][entry["key8"] or "none"] += 1
        self._hosts[host] += 1
        self._total += 1
        self._running.add(id(entry))
        return entry

    def leave(self, entry: dict[str, Any], status: int | str) -> None:
        """`status` is a word where no complete answer was sent."""
        if id(entry) in self._running:
            self._running.discard(id(entry))
            entry["status"] = status
            self._by_status[str(status)] += 1

    def counts(self) -> dict[str, Any]:
        return {
            "requests": self._requests,
            "total": self._total,
            "in_flight": len(self._running),
            "by_status": self._by_status,
            "hosts": self._hosts,
        }

    def log(self, host: str | None) -> list[dict[str, Any]]:
        return [entry for entry in self._log if host in (None, entry["host"])]
