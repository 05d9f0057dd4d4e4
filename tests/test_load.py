"""A hundred clients at once on one host: no request fails, and Chartbeat is asked once a TTL."""

import re
import shutil
import subprocess
from typing import Callable

import pytest

from servers.processes import await_true
from servers.stack import KEY, PATH, Stack

SECONDS = 30
CLIENTS = 100


@pytest.mark.unhurried
@pytest.mark.once
@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_a_hundred_clients_for_half_a_minute(new_stack: Callable[..., Stack]) -> None:
    """With the settings as they come: TTL 3 s, 8 workers, an upstream that takes 100 ms."""
    simulator = {"source": "model", "latency_ms": 100, "key": f"{KEY}=*"}
    stack = new_stack(simulator=simulator, UPBEAT_WORKERS="8", UPBEAT_LOG="info")
    host = "load.example"
    assert stack.rising(host).status == 200
    url = f"http://127.0.0.1:{stack.nginx.port}{PATH}?host={host}"
    command = ["wrk", "-t2", f"-c{CLIENTS}", f"-d{SECONDS}s", "--timeout", "10s"]
    said = subprocess.run(
        [*command, "-H", f"X-CB-AK: {KEY}", url], capture_output=True, text=True, check=True
    ).stdout
    match = re.search(r"(\d+) requests in", said)
    assert match and int(match[1]) > SECONDS * 100, said
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    snapshots = "select count(*) from snapshots where host = %s"

    def asked() -> int:
        return int(stack.simulator.counts()["hosts"][host])

    await_true(lambda: stack.database.value(snapshots, host) == asked(), 5, "each answer stored, the last one too")
    assert SECONDS / 3 / 2 < asked() <= SECONDS / 3 + 2, f"{asked()} requests to Chartbeat"
