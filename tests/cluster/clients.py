"""The upstream and the clients: one event loop in a thread of its own."""

import asyncio
import json
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web

from servers.processes import ROOT

sys.path.insert(0, str(ROOT / "tests" / "simulator"))
import pages  # noqa: E402

HOSTS = 50
PER_S = 200
COLD_EVERY_S = 0.5
ASK_WITHIN_S = 8.0
KEY = "leak-me-not-0001"
PATH = "/api/v1.0/increasingconcurrents"
COUNTER = "/counter"


@dataclass(frozen=True)
class Answer:
    """`status` is 0 where there was none; `number` is that of the host's snapshot, 0 where the answer has none."""

    at_s: float
    took_s: float
    machine: str
    host: str
    is_cold: bool
    status: int
    number: int = 0
    age_s: int = 0
    warned: bool = False


class Traffic:
    """Every list that the upstream serves has the next number of its host, as the visitors of the page /counter, so
    that an answer tells which snapshot it comes from."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: dict[str, list[float]] = defaultdict(list)  # upstream, by host
        self.deliveries: list[tuple[float, str]] = []
        self.urls: dict[str, str] = {}
        self.upstream_url = self.hook_url = ""
        self._numbers: dict[str, int] = defaultdict(lambda: 1000)
        self._over = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.is_asking = False
        self.late: list[tuple[float, float]] = []  # when our own loop came late, and by how much

    def start(self) -> "Traffic":
        self._thread.start()
        self._ready.wait(10)
        return self

    def stop(self) -> None:
        self._over.set()
        self._thread.join(20)

    async def _run(self) -> None:
        app = web.Application()
        app.router.add_get("/live/toppages/v3/", self._serve)
        app.router.add_post("/hook", self._hook)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        root = "http://127.0.0.1:%d" % runner.addresses[0][1]
        self.upstream_url, self.hook_url = root + "/live/toppages/v3/", root + "/hook"
        self._ready.set()
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
        timeout = aiohttp.ClientTimeout(total=ASK_WITHIN_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as self._session:
            await self._ask_for_ever()
        await runner.cleanup()

    # --- Upstream -----------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.Response:
        host = request.query.get("host", "")
        self.asked[host].append(time.monotonic())
        self._numbers[host] += 1
        rows = [pages.Page(COUNTER, "How many lists there were", self._numbers[host])]
        rows += [pages.Page(f"/news/{n}", f"Item {n}", 900 - n * 10) for n in range(19)]
        return web.Response(body=pages.body(rows, pages.V3), content_type="application/json")

    async def _hook(self, request: web.Request) -> web.Response:
        """A delivery, by the id that must not come twice. The answer takes its time: what breaks, breaks in between."""
        await request.read()
        self.deliveries.append((time.monotonic(), request.headers["webhook-id"]))
        await asyncio.sleep(0.2)
        return web.Response()

    # --- Clients ------------------------------------------------------------------------------------------------------

    async def _ask_for_ever(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        count, next_s, cold_s = 0, time.monotonic(), time.monotonic()
        while not self._over.is_set():
            now_s = time.monotonic()
            if not self.is_asking:
                next_s = cold_s = now_s
                await asyncio.sleep(0.05)
                continue
            machines = list(self.urls)
            if now_s - next_s > 0.25:
                self.late.append((now_s, now_s - next_s))
                next_s = cold_s = now_s  # what was missed is not made up for, or a busy machine never recovers
            while next_s <= now_s:
                machine = machines[(count + count // HOSTS) % len(machines)]
                tasks.add(asyncio.create_task(self._ask(machine, f"warm-{count % HOSTS}.example", False)))
                count, next_s = count + 1, next_s + 1 / PER_S
            if cold_s <= now_s:
                machine = machines[int(cold_s / COLD_EVERY_S) % len(machines)]
                tasks.add(asyncio.create_task(self._ask(machine, f"cold-{count}.example", True)))
                cold_s += COLD_EVERY_S
            tasks = {task for task in tasks if not task.done()}
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, machine: str, host: str, is_cold: bool) -> None:
        """What a balancer would do: a machine that refuses the connection is passed over."""
        at_s = time.monotonic()
        answer: dict[str, Any] = {"status": 0}
        for one in [machine, *(other for other in self.urls if other != machine)]:
            try:
                answer = await self._get(self.urls[one], host)
                machine = one
                break
            except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                continue
            except (aiohttp.ClientError, asyncio.TimeoutError):
                break
        self.answers.append(Answer(at_s, time.monotonic() - at_s, machine, host, is_cold, **answer))

    async def _get(self, url: str, host: str) -> dict[str, Any]:
        async with self._session.get(url + PATH, params={"host": host}, headers={"X-CB-AK": KEY}) as reply:
            body = await reply.read()
            rows = json.loads(body) if reply.status == 200 else []
            number = next((row["visitors"] for row in rows if row["path"] == COUNTER), 0)
            return {
                "status": reply.status,
                "number": number,
                "age_s": int(reply.headers.get("Age", 0)),
                "warned": "Warning" in reply.headers,
            }
