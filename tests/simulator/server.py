"""The two HTTP servers: the upstream that Chartbeat would be, and the control address."""

import asyncio
import sys
import time
import traceback
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Any, Awaitable, Callable

from aiohttp import web

import faults
import pages
from day import Day, DayScript
from faults import Answer, Body, Fault
from ledger import Keys, Ledger, Rate
from model import Model
from pages import Page
from replay import Traffic, Window
from script import Script

CACHED_BODIES = 256
DEFAULT_LIMIT = 100
CONTROL_BODY_MAX_BYTES = 64_000_000


@dataclass(frozen=True)
class Settings:
    """`start_t` is model time in Unix seconds, `replay_start_s` a second of the traffic file."""

    source: str
    seed: int
    start_t: float
    speed: float
    step_ms: float
    latency_ms: float
    visitors: float
    flicker: float
    worlds: int
    traffic: str | None
    replay_start_s: int
    has_past: bool = False
    day: str | None = None


class Sources:
    """What a host's list is now. A script comes first, then a replay set by control."""

    def __init__(self, settings: Settings) -> None:
        """Raises OSError or ValueError where the traffic file, or that of the day, can't be read."""
        self._settings = settings
        self._day = DayScript(settings.day) if settings.source == "day" and settings.day else None
        self._born_s = time.monotonic()
        self._models: dict[str, Model | Day] = {}
        self._traffic = Traffic(settings.traffic) if settings.source == "replay" else None
        self._serial = count()
        self.reset()

    def reset(self) -> None:
        self._scripts: dict[str, tuple[int, Script]] = {}
        self._replays: dict[str, tuple[int, Window]] = {}
        self._moving: Window | None = None

    def set_script(self, host: str, script: Script | None) -> None:
        if script is None:
            self._scripts.pop(host, None)
        else:
            self._scripts[host] = (next(self._serial), script)

    def script(self, host: str) -> tuple[int, Script] | None:
        return self._scripts.get(host) or self._scripts.get("*")

    def set_replay(self, host: str, t: int | None) -> None:
        if t is None:
            self._replays.pop(host, None)
            return
        if self._traffic is None:
            if not self._settings.traffic:
                raise ValueError("no traffic file: give --traffic or UPBEAT_TRAFFIC")
            self._traffic = Traffic(self._settings.traffic)
        _, window = self._replays.get(host) or (0, Window(self._traffic))
        self._replays[host] = (t, window)

    def rows(self, host: str, limit: int) -> tuple[tuple, Callable[[], list[Page]]]:
        """A name that no other list has, and the way to that list."""
        if host in self._replays:
            t, window = self._replays[host]
            return self._replayed(t, window, limit)
        if self._settings.source == "replay":
            passed_s = self._step() * self._settings.step_ms / 1000 * self._settings.speed
            self._moving = self._moving or Window(self._traffic)
            t = int(self._settings.replay_start_s + passed_s)
            return self._replayed(t, self._moving, limit)
        if self._settings.source == "script":
            return ("nothing",), lambda: []
        step, model = self._step(), self._model(host)
        name = ("model", self._world(host), step)

        def top() -> list[Page]:
            model.advance(step)
            return model.top(limit)

        return name, top

    @staticmethod
    def _replayed(t: int, window: Window, limit: int) -> tuple[tuple, Callable[[], list[Page]]]:
        def top() -> list[Page]:
            window.move(t)
            return window.top(limit)

        return ("replay", t), top

    def truth(self, host: str, births: bool) -> list[dict[str, Any]]:
        if self._settings.source not in ("model", "day"):
            return []
        model = self._model(host)
        return model.truth(model.start_t + self._step() * self._step_s(), births)

    def _step(self) -> int:
        return int((time.monotonic() - self._born_s) * 1000 / self._settings.step_ms)

    def _step_s(self) -> float:
        return self._settings.step_ms / 1000 * self._settings.speed

    def _world(self, host: str) -> str:
        worlds = self._settings.worlds
        return f"world-{zlib.crc32(host.encode()) % worlds}" if worlds else host

    def _model(self, host: str) -> Model | Day:
        world, settings = self._world(host), self._settings
        if world not in self._models and self._day:
            self._models[world] = Day(self._day, f"{settings.seed}/{world}", self._step_s(), settings.start_t)
        elif world not in self._models:
            self._models[world] = Model(
                settings.seed,
                world,
                self._step_s(),
                settings.start_t,
                visitors=settings.visitors,
                flicker=settings.flicker,
                has_past=settings.has_past,
            )
        return self._models[world]


class Upstream:
    """Answers as Chartbeat does, unless a fault is set."""

    def __init__(self, settings: Settings, keys: Keys, rate: Rate) -> None:
        self.settings, self.keys, self.rate = settings, keys, rate
        self.sources = Sources(settings)
        self.faults = faults.Faults()
        self.ledger = Ledger()
        self._bodies: OrderedDict[tuple, Body] = OrderedDict()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_errors])
        for path in ("/live/toppages/v3/", "/live/toppages/v3"):
            app.router.add_get(path, lambda request: self._serve(request, pages.V3))
        for path in ("/live/toppages/", "/live/toppages"):
            app.router.add_get(path, lambda request: self._serve(request, pages.LEGACY))
        return app

    def reset(self) -> None:
        for part in (self.keys, self.rate, self.sources, self.faults, self.ledger):
            part.reset()
        self._bodies.clear()

    async def _serve(self, request: web.Request, form: str) -> web.StreamResponse:
        arrived_s = time.monotonic()
        query = {name: value for name, value in request.query.items() if name != "apikey"}
        key = request.headers.get("X-CB-AK") or request.query.get("apikey")
        via = "header" if "X-CB-AK" in request.headers else "query"
        host = query.get("host", "").lower()
        entry = self.ledger.arrive(host, key, via=via, form=form, query=query)
        status: int | str = "aborted"
        try:
            fault = self.faults.take(host)
            answer = self._answer(host, key, query.get("limit"), form, fault)
            slow = fault is not None and fault.kind == "slow"
            latency_ms = fault.params["latency_ms"] if slow else self.settings.latency_ms
            generation = self.faults.generation
            wait = self._waiter(request, generation)
            await asyncio.sleep(max(0, arrived_s + latency_ms / 1000 - time.monotonic()))
            if fault and fault.kind in faults.DELIVERIES:
                response = await faults.DELIVERIES[fault.kind](request, answer, wait, fault.params)
                status = fault.kind
            else:
                response = _response(request, answer)
                status = answer.status
            return response
        except ConnectionResetError:
            return web.Response()
        finally:
            self.ledger.leave(entry, status)

    def _waiter(self, request: web.Request, generation: int) -> Callable[[float], Awaitable[bool]]:
        def held() -> bool:
            there = request.transport is not None and not request.transport.is_closing()
            return there and self.faults.generation == generation

        return lambda seconds: faults.wait_while(held, seconds)

    def _answer(
        self, host: str, key: str | None, limit: str | None, form: str, fault: Fault | None
    ) -> Answer:
        status = self.keys.status(key, host) if host else 400
        remaining, wait_s = self.rate.take(host, key) if status == 200 else (self.rate.limit, 0)
        if fault and fault.kind in faults.BODIES:
            answer = faults.BODIES[fault.kind](self._peek(host), form, fault.params)
        elif fault and fault.kind in faults.DELIVERIES:
            answer = Answer(body=Body(pages.body(self._peek(host), form)))
        elif not host:
            answer = _refusal(400, "missing parameter: host")
        elif status == 401:
            answer = _refusal(401, "unknown API key")
        elif status == 403:
            answer = _refusal(403, "this API key has no access to this host")
        elif wait_s:
            answer = _refusal(429, "rate limit exceeded", {"Retry-After": str(wait_s)})
        elif limit is not None and not (limit.isascii() and limit.isdigit() and int(limit)):
            answer = _refusal(400, "limit is a whole number from 1")
        else:
            answer = self._list(host, int(limit or DEFAULT_LIMIT), form)
        limits = {"X-RateLimit-Limit": self.rate.limit, "X-RateLimit-Remaining": remaining}
        answer.headers = {name: str(n) for name, n in limits.items()} | answer.headers
        return answer

    def _list(self, host: str, limit: int, form: str) -> Answer:
        found = self.sources.script(host)
        body = self._body(host, limit, form)
        if found is None:
            return Answer(body=body)
        return Answer(found[1].status, body, dict(found[1].headers))

    def _body(self, host: str, limit: int, form: str) -> Body:
        found = self.sources.script(host)
        if found is not None and found[1].body is not None:
            return Body(found[1].body)
        if found is not None:
            number, rows = found[1].take()
            return self._cached(("script", found[0], number, form), lambda: rows, form)
        name, top = self.sources.rows(host, limit)
        return self._cached((*name, limit, form), top, form)

    def _peek(self, host: str) -> list[Page]:
        """The list to spoil by a fault: never empty, and a sequence does not move on."""
        found = self.sources.script(host)
        rows = found[1].peek() if found else self.sources.rows(host, DEFAULT_LIMIT)[1]()
        return rows or [Page("/", "The only page", 40)]

    def _cached(self, name: tuple, top: Callable[[], list[Page]], form: str) -> Body:
        body = self._bodies.get(name)
        if body is None:
            body = self._bodies[name] = Body(pages.body(top(), form))
            if len(self._bodies) > CACHED_BODIES:
                self._bodies.popitem(last=False)
        else:
            self._bodies.move_to_end(name)
        return body


def _refusal(status: int, error: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, Body(f'{{"error":"{error}"}}'.encode()), headers or {})


def _response(request: web.Request, answer: Answer) -> web.Response:
    body = answer.bytes_for(request.headers.get("Accept-Encoding", ""))
    return web.Response(status=answer.status, body=body, headers=answer.all_headers())


@web.middleware
async def _errors(request: web.Request, handler: Callable) -> web.StreamResponse:
    """Words every refusal as JSON. A message could hold a key, so only its place is printed."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except Exception as error:
        traceback.print_tb(error.__traceback__)
        print(f"simulator: {type(error).__name__} in the lines above", file=sys.stderr, flush=True)
        return web.json_response({"error": "a bug in the simulator"}, status=500)


class Control:
    """Sets what the upstream does next and tells what it was asked; JSON both ways."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_errors], client_max_size=CONTROL_BODY_MAX_BYTES)
        for method, path, call in [
            ("POST", "/keys", self._put_keys),
            ("DELETE", "/keys", self._delete_key),
            ("POST", "/script", self._script),
            ("DELETE", "/script", self._delete_script),
            ("POST", "/replay", self._replay),
            ("GET", "/truth", self._truth),
            ("GET", "/counts", self._counts),
            ("GET", "/log", self._log),
            ("POST", "/reset", self._reset),
            ("POST", "/faults", self._faults),
            ("DELETE", "/faults", self._delete_faults),
        ]:
            app.router.add_route(method, path, self._route(call))
        return app

    def _route(self, call: Callable[[dict[str, Any]], Any]) -> Callable:
        async def route(request: web.Request) -> web.Response:
            try:
                given = await request.json() if request.can_read_body else dict(request.query)
                if not isinstance(given, dict):
                    raise ValueError("the body is not an object")
                told = call(given)
                return web.json_response({} if told is None else told)
            except KeyError as error:
                return web.json_response({"error": f"missing: {error.args[0]}"}, status=400)
            except (ValueError, TypeError, AttributeError, OSError) as error:
                return web.json_response({"error": str(error)}, status=400)

        return route

    def _put_keys(self, given: dict[str, Any]) -> None:
        hosts = given["hosts"]
        names = {"*"} if hosts == "*" else {host.lower() for host in hosts}
        self._upstream.keys.put(given["key"], names)

    def _delete_key(self, given: dict[str, Any]) -> None:
        self._upstream.keys.revoke(given["key"])

    def _script(self, given: dict[str, Any]) -> None:
        self._upstream.sources.set_script(given["host"].lower(), Script(given))

    def _delete_script(self, given: dict[str, Any]) -> None:
        self._upstream.sources.set_script(given["host"].lower(), None)

    def _replay(self, given: dict[str, Any]) -> None:
        t = given["t"]
        self._upstream.sources.set_replay(given["host"].lower(), None if t is None else int(t))

    def _truth(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        return self._upstream.sources.truth(given["host"].lower(), given.get("new") == "1")

    def _counts(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._upstream.ledger.counts()

    def _log(self, given: dict[str, Any]) -> list[dict[str, Any]]:
        host = given.get("host")
        return self._upstream.ledger.log(host.lower() if host else None)

    def _reset(self, given: dict[str, Any]) -> None:
        self._upstream.reset()

    def _faults(self, given: dict[str, Any]) -> None:
        self._upstream.faults.add(given)

    def _delete_faults(self, given: dict[str, Any]) -> None:
        host = given.get("host")
        self._upstream.faults.clear(host.lower() if host else None)
