"""A worker's memory: flat over many requests, and no error that valgrind knows of."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from servers.pool import Pool
from servers.processes import await_true, build_folder
from servers.rights import private_kb
from servers.stack import KEY, PATH, Stack, page

# A million, as a soak: UPBEAT_MEMORY_REQUESTS=1000000 tests/run -k memory
REQUESTS = int(os.environ.get("UPBEAT_MEMORY_REQUESTS", "100000"))
REFILLS_FIRST = 5  # what those take is kept for the next ones
GROWTH_MAX_KB = 1024
HOST = "memory.example"

pytestmark = pytest.mark.once


def ask_many(stack: Stack, count: int) -> None:
    """Through wrk, since no Python client is quick enough; at least so many."""
    url = f"http://127.0.0.1:{stack.nginx.port}{PATH}?host={HOST}"
    while count > 0:
        command = ["wrk", "-t1", "-c8", "-d2s", "-H", f"X-CB-AK: {KEY}", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "Non-2xx" not in said, said
        match = re.search(r"(\d+) requests in", said)
        assert match
        count -= int(match[1])


@pytest.mark.unhurried
@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed")
def test_private_memory_is_flat(new_stack: Callable[..., Stack]) -> None:
    """One worker that answers lists of a hundred pages and refills them every three seconds."""
    stack = new_stack(simulator={"source": "model"}, UPBEAT_WORKERS="1", UPBEAT_LOG="info")
    assert stack.rising(HOST).status == 200
    (worker,) = stack.pool.workers()
    while stack.simulator.counts()["hosts"][HOST] < REFILLS_FIRST:
        ask_many(stack, 1)
    before_kb = private_kb(worker)
    ask_many(stack, REQUESTS)
    grown_kb = private_kb(worker) - before_kb
    assert stack.pool.workers() == [worker]
    print(f"{before_kb} kB, {grown_kb:+} kB after {REQUESTS} requests")
    assert grown_kb < GROWTH_MAX_KB


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_valgrind_finds_nothing(new_stack: Callable[..., Stack], folder: Path) -> None:
    """A short mixed run: good and bad requests, good and bad answers of Chartbeat, a drain."""
    stack = new_stack(UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="100", UPBEAT_WORKERS="1")
    stack.pool.stop()
    report = stack.folder / "valgrind"
    checked = stack.folder / "upbeat-fcgi"
    checked.write_text(
        "#!/bin/sh\nexec valgrind -q --leak-check=full --show-leak-kinds=definite,possible"
        f" --errors-for-leak-kinds=definite --log-file={report}.%p {build_folder()}/fcgi/upbeat-fcgi\n"
    )
    checked.chmod(0o755)
    stack.pool = Pool(stack.folder, stack.pool.settings | {"UPBEAT_WORKERS": "1"})
    stack.pool.program = checked
    stack.pool.start()
    await_true(lambda: stack.ask("/readyz").status == 200, 20)
    stack.turn(HOST, [page(f"/{n}", n, f"Title {n}") for n in range(50)])
    stack.turn(HOST, [page(f"/{n}", 2 * n, f"Title {n}") for n in range(50)])
    for kind in ("html_200", "maintenance", "deep_nesting", "cut", "status"):
        bad = f"{kind.replace('_', '-')}.example"
        stack.simulator.fault(bad, kind)
        assert stack.rising(bad).status in (502, 503, 504)
    for kind in ("nul_escape", "bad_utf8", "half_pair", "number_that_is_none", "negative_counts"):
        mended = f"{kind.replace('_', '-')}.example"
        stack.simulator.script(mended, [page("/a", 1), page("/b", 2)])
        stack.simulator.fault(mended, kind)
        assert stack.rising(mended).status == 200
    for parameters in ({"format": "csv"}, {"callback": "f"}, {"limit": 1}, {"limit": "x"}):
        stack.rising(HOST, **parameters)
    for path in ("/", "/healthz", "/nothing", PATH):
        stack.ask(path)
    stack.rising(HOST, KEY + "-wrong")
    assert stack.pool.stop() == 0
    stack.pool.start()
    said = "".join(one.read_text() for one in stack.folder.glob("valgrind.*"))
    assert not said, said
