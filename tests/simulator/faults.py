"""Everything that an upstream can do wrong: KINDS names each with its parameters and defaults.

A fault either changes what is answered (BODIES) or how it is sent (DELIVERIES); `slow` is a
latency and nothing else.
"""

import asyncio
import gzip
import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Awaitable, Callable

from aiohttp import web

import pages
from pages import Page

SERVER = "simulated-chartbeat"
HTML = b"<!doctype html><title>Sorry</title><h1>The proxy is having a bad day</h1>\n"
CHUNK_BYTES = 64 * 1024
LOOK_EVERY_S = 0.25
MARK = "@@mark@@"


class Body:
    """Bytes of an answer, compressed once at most."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.plain, compresslevel=1, mtime=0)


@dataclass
class Answer:
    """`encoded` says that the body is gzip already and goes out so, whoever asked."""

    status: int = 200
    body: Body = field(default_factory=lambda: Body(b""))
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    encoded: bool = False

    def bytes_for(self, accept_encoding: str) -> bytes:
        """The body as it goes over the wire; adds the headers that tell so."""
        if not self.encoded and ("gzip" not in accept_encoding or len(self.body.plain) < 1024):
            return self.body.plain
        self.headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return self.body.plain if self.encoded else self.body.gzipped

    def all_headers(self) -> dict[str, str]:
        return {"Server": SERVER, "Content-Type": self.content_type} | self.headers


@dataclass
class Fault:
    """`times` is the number of requests that it still strikes; None: all."""

    host: str
    kind: str
    params: dict[str, Any]
    times: int | None


class Faults:
    """The faults of all hosts. Of a host's own the oldest strikes first, then those of `*`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.generation = 0

    def add(self, given: dict[str, Any]) -> None:
        """Raises ValueError, KeyError or TypeError for what is no fault."""
        params = dict(given)
        host, kind = params.pop("host", "*").lower(), params.pop("kind", None)
        times = params.pop("times", None)
        if kind not in KINDS:
            raise ValueError(f"unknown kind of fault {kind!r}; there are {', '.join(KINDS)}")
        if unknown := set(params) - set(KINDS[kind]):
            known = ", ".join(KINDS[kind]) or "none"
            raise ValueError(f"unknown parameter {sorted(unknown)[0]!r} of {kind}; known: {known}")
        if times is not None and (type(times) is not int or times < 1):
            raise ValueError("times is a whole number from 1, or null")
        params = KINDS[kind] | params
        if kind in BODIES:
            # A bad parameter is refused here, not met by the worker under test.
            BODIES[kind]([Page("/", "Title", 40)], pages.V3, params)
        self._faults.append(Fault(host, kind, params, times))

    def take(self, host: str) -> Fault | None:
        for fault in sorted(self._faults, key=lambda fault: fault.host == "*"):
            if fault.host in (host, "*"):
                if fault.times is not None:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def clear(self, host: str | None = None) -> None:
        self._faults = [fault for fault in self._faults if host not in (None, fault.host)]

    def reset(self) -> None:
        """Also lets go of the requests that hang."""
        self.clear()
        self.generation += 1


def _status(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    bodies = {
        "json": (b'{"error":"simulated error"}', "application/json"),
        "html": (HTML, "text/html"),
        "text": (b"error code: 1020", "text/plain"),
        "empty": (b"", "text/plain"),
    }
    body, content_type = bodies[params["body"]]
    headers = {str(name): str(value) for name, value in params["headers"].items()}
    return Answer(int(params["status"]), Body(body), headers, content_type)


def _redirect(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    return Answer(int(params["status"]), headers={"Location": str(params["location"])})


def _retry_after(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    body = Body(b'{"error":"too many requests"}')
    return Answer(429, body, {"Retry-After": str(params["value"])})


def _constant(body: bytes, content_type: str = "application/json; charset=utf-8") -> Callable:
    return lambda rows, form, params: Answer(200, Body(body), content_type=content_type)


def _by_form(v3: bytes, legacy: bytes) -> Callable:
    return lambda rows, form, params: Answer(200, Body(v3 if form == pages.V3 else legacy))


def _wrapped(before: bytes, after: bytes) -> Callable:
    return lambda rows, form, params: Answer(200, Body(before + pages.body(rows, form) + after))


def _title(broken: bytes) -> Callable:
    """The first page's title holds `broken`."""

    def answer(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
        first = rows[0]._replace(title=f"Broken {MARK} title")
        body = pages.body([first, *rows[1:]], form)
        return Answer(200, Body(body.replace(MARK.encode(), broken)))

    return answer


def _deep_nesting(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    depth = int(params["depth"])
    body = pages.body([rows[0]._replace(extra={"nested": MARK}), *rows[1:]], form)
    return Answer(200, Body(body.replace(f'"{MARK}"'.encode(), b"[" * depth + b"]" * depth)))


def _unread(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    """A member of the first page that nobody reads has `value` as it stands."""
    body = pages.body([rows[0]._replace(extra={"unread": {"avg": MARK}}), *rows[1:]], form)
    return Answer(200, Body(body.replace(f'"{MARK}"'.encode(), str(params["value"]).encode())))


def _counts(change: Callable[[Any, dict[str, Any]], Any]) -> Callable:
    """The counts of the first `rows` pages (null: all) are changed."""

    def answer(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
        n = len(rows) if params["rows"] is None else int(params["rows"])
        changed = [row._replace(visitors=change(row.visitors, params)) for row in rows[:n]]
        return Answer(200, Body(pages.body([*changed, *rows[n:]], form)))

    return answer


@lru_cache(maxsize=2)
def _bomb(mb: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    blank = b" " * 1_000_000
    parts = [packer.compress(b'{"pages":['), *(packer.compress(blank) for _ in range(mb))]
    return b"".join([*parts, packer.compress(b"]}"), packer.flush()])


def _gzip_bomb(rows: list[Page], form: str, params: dict[str, Any]) -> Answer:
    return Answer(200, Body(_bomb(int(params["mb"]))), encoded=True)


async def _hang(request: web.Request, answer: Answer, wait: Callable, params: dict) -> Any:
    while await wait(LOOK_EVERY_S):
        pass
    return _close_now(request)


async def _close(request: web.Request, answer: Answer, wait: Callable, params: dict) -> Any:
    return _close_now(request)


def _close_now(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.close()
    return web.Response()


async def _cut(request: web.Request, answer: Answer, wait: Callable, params: dict) -> Any:
    body = answer.bytes_for(request.headers.get("Accept-Encoding", ""))
    response = web.StreamResponse(status=answer.status, headers=answer.all_headers())
    response.content_length = max(len(body), 1)
    await response.prepare(request)
    await response.write(body[: int(len(body) * params["fraction"])])
    _close_now(request)
    return response


async def _drip(request: web.Request, answer: Answer, wait: Callable, params: dict) -> Any:
    body = answer.bytes_for(request.headers.get("Accept-Encoding", ""))
    response = web.StreamResponse(status=answer.status, headers=answer.all_headers())
    response.content_length = len(body)
    await response.prepare(request)
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        if not await wait(1.0 / params["bytes_per_second"]):
            return _close_now(request)
    return response


async def _too_large(request: web.Request, answer: Answer, wait: Callable, params: dict) -> Any:
    """A valid list of `mb` MB, chunked, the host's pages over and over."""
    start, end = (b"[", b"]") if answer.body.plain[:1] == b"[" else (b'{"pages":[', b"]}")
    rows = answer.body.plain[len(start) : -len(end)]
    response = web.StreamResponse(status=answer.status, headers=answer.all_headers())
    response.enable_chunked_encoding()
    await response.prepare(request)
    await response.write(start + rows)
    sent = len(rows)
    while sent < params["mb"] * 1_000_000:
        for at in range(0, len(rows), CHUNK_BYTES):
            await response.write(b"," * (at == 0) + rows[at : at + CHUNK_BYTES])
        sent += len(rows) + 1
    await response.write(end)
    return response


BODIES: dict[str, Callable[[list[Page], str, dict[str, Any]], Answer]] = {
    "status": _status,
    "redirect": _redirect,
    "retry_after": _retry_after,
    "html_200": _constant(HTML, "text/html"),
    "empty_body": _constant(b""),
    "not_json": _constant(b"pages: none, JSON: neither"),
    "pages_missing": _by_form(b"{}", b"{}"),
    "pages_null": _by_form(b'{"pages":null}', b"null"),
    "maintenance": _constant(b'{"status":"error","reason":"maintenance"}'),
    "data": _constant(b'{"data":{}}'),
    "bom": _wrapped(b"\xef\xbb\xbf", b""),
    "trailing_junk": _wrapped(b"", b" trailing junk"),
    "bad_utf8": _title(b"\xff\xfe \xc3( \xed\xa0\x80"),
    "nul_byte": _title(b"\x00"),
    "nul_escape": _title(rb"\u0000"),
    "half_pair": _title(rb"\ud83d"),
    "latin_1": _title(b"\xe9"),
    "number_that_is_none": _unread,
    "deep_nesting": _deep_nesting,
    "gzip_bomb": _gzip_bomb,
    "huge_counts": _counts(lambda n, params: params["value"]),
    "negative_counts": _counts(lambda n, params: params["value"]),
    "counts_as_strings": _counts(lambda n, params: str(n)),
    "float_counts": _counts(lambda n, params: n + params["add"]),
}
DELIVERIES: dict[str, Callable[..., Awaitable[web.StreamResponse]]] = {
    "hang": _hang,
    "close": _close,
    "cut": _cut,
    "drip": _drip,
    "too_large": _too_large,
}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "status": {"status": 503, "body": "html", "headers": {}},
    "redirect": {"status": 302, "location": "http://127.0.0.1:9/"},
    "retry_after": {"value": 30},
    "slow": {"latency_ms": 5000},
    "cut": {"fraction": 0.5},
    "drip": {"bytes_per_second": 1},
    "too_large": {"mb": 20},
    "gzip_bomb": {"mb": 100},
    "deep_nesting": {"depth": 1000},
    "number_that_is_none": {"value": "NaN"},
    "huge_counts": {"rows": 1, "value": 2**32},
    "negative_counts": {"rows": 1, "value": -40},
    "counts_as_strings": {"rows": None},
    "float_counts": {"rows": None, "add": 0.0},
}
KINDS: dict[str, dict[str, Any]] = {
    kind: _DEFAULTS.get(kind, {}) for kind in ["slow", *DELIVERIES, *BODIES]
}


async def wait_while(held: Callable[[], bool], seconds: float) -> bool:
    """Sleeps; False as soon as nobody is there to wait for."""
    while held() and seconds > 0:
        await asyncio.sleep(min(seconds, LOOK_EVERY_S))
        seconds -= LOOK_EVERY_S
    return held()
