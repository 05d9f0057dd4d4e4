"""The load: wrk and siege, and what they say."""

import re
import subprocess
from dataclasses import dataclass

UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass
class Load:
    """One round: requests a second, latency percentiles, and what was not a 2xx."""

    rate_per_s: float
    p50_ms: float
    p90_ms: float
    p99_ms: float
    requests: int
    failed: int


def _ms(text: str, percentile: str) -> float:
    found = re.search(rf"^\s+{percentile}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M)
    assert found, text
    return float(found[1]) * UNITS_MS[found[2]]


def wrk(
    url: str, key: str, connections: int, seconds: int, more: list[str] | None = None
) -> Load:
    """Raises RuntimeError where wrk itself fails."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "5s"]
    done = subprocess.run(
        [*command, *(more or []), "-H", f"X-CB-AK: {key}", url], capture_output=True, text=True, check=False
    )
    text = done.stdout
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.M)
    if done.returncode != 0 or not rate:
        raise RuntimeError(f"wrk: {text}{done.stderr}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    socket = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    count = re.search(r"(\d+) requests in", text)
    return Load(
        rate_per_s=float(rate[1]),
        p50_ms=_ms(text, "50"),
        p90_ms=_ms(text, "90"),
        p99_ms=_ms(text, "99"),
        requests=int(count[1]) if count else 0,
        failed=int(failed[1] if failed else 0) + sum(map(int, socket.groups() if socket else ())),
    )


def siege(url: str, key: str, connections: int, seconds: int) -> float:
    """Transactions a second, as the prototype was measured: siege without pauses."""
    command = ["siege", "-b", f"-c{connections}", f"-t{seconds}S", "-q", "-j", "-H", f"X-CB-AK: {key}"]
    try:
        done = subprocess.run(
            [*command, url], capture_output=True, text=True, check=False, timeout=seconds + 20
        )
    except subprocess.TimeoutExpired:
        return float("nan")  # it hangs at its end now and then, whatever it asks
    rate = re.search(r'"transaction_rate":\s*([\d.]+)', done.stdout)
    if not rate:
        raise RuntimeError(f"siege: {done.stdout}{done.stderr}")
    return float(rate[1])
