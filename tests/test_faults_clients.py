"""The fault matrix: what clients do wrong or on purpose. Also a scan as an outsider would do it."""

import json
import os
import posixpath
import random
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable
from urllib.parse import quote, unquote

import pytest

from servers.burst import request
from servers.load import Load
from servers.processes import ROOT, allow_s, await_true, end, free_port
from servers.slow import SlowReader
from servers.stack import KEY, PATH, Stack, page
from servers.tokens import add_token

HOST = "clients.example"
SCANS = int(os.environ.get("UPBEAT_SCANS", "10000"))


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    one = new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000", UPBEAT_LOG="info")
    one.simulator.script(HOST, [page("/", 1)])
    assert one.rising(HOST).status == 200
    return one


def talk(stack: Stack, words: bytes, within_s: float = 8.0) -> bytes:
    """What nginx says to these bytes until it closes, or has answered."""
    with socket.create_connection(("127.0.0.1", stack.nginx.port), timeout=within_s) as one:
        heard = b""
        try:
            one.sendall(words)
            while chunk := one.recv(65536):
                heard += chunk
                if b"\r\n\r\n" in heard and b"connection: close" not in heard.lower():
                    break
        except (TimeoutError, ConnectionError):
            pass
        return heard


def many(port: int, requests: list[str], address: str = "127.0.0.1", source: str = "") -> list[bytes]:
    """The replies to requests that one connection sends at once, so that they come quicker than any limit."""
    words = "".join(requests[:-1]) + requests[-1].replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    with socket.create_connection((address, port), timeout=20, source_address=(source, 0)) as one:
        one.sendall(words.encode())
        heard = b""
        while chunk := one.recv(65536):
            heard += chunk
    return [b"HTTP/1.1 " + reply for reply in heard.split(b"HTTP/1.1 ")[1:]]


def status(heard: bytes) -> int:
    """0: closed without a word."""
    return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/1.1 ") else 0


GOOD = f"GET {PATH}?host={HOST} HTTP/1.1\r\nHost: x\r\nX-CB-AK: {KEY}\r\n"


def test_slowloris(stack: Stack) -> None:
    """Two hundred clients that never finish their headers are closed within seconds."""
    slow = [
        socket.create_connection(("127.0.0.1", stack.nginx.port), timeout=10) for _ in range(200)
    ]
    try:
        for one in slow:
            one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        started_s = time.monotonic()
        with Load(stack, HOST, clients=4, pause_s=0.005) as load:
            for one in slow:
                heard = one.recv(1000)
                assert heard == b"" or status(heard) in (400, 408)
        assert time.monotonic() - started_s < allow_s(5)
        assert load.statuses() == {200} and load.quantile_s(0.99) < allow_s(1)
    finally:
        for one in slow:
            one.close()


@pytest.mark.once
def test_a_client_that_reads_a_few_bytes_a_second_of_2_mb(
    new_stack: Callable[..., Stack], measured: Callable[[str], None]
) -> None:
    """nginx takes the answer at once, so the only worker serves others meanwhile. The system may not hold it for nginx,
    as it does where it has much memory to spare."""
    stack = new_stack(
        listen="sndbuf=64k",
        UPBEAT_TTL_MS="60000",
        UPBEAT_STALE_MS="60000",
        UPBEAT_WORKERS="1",
    )
    large = "large.example"
    for visitors in (1, 2):
        pages = [
            {"path": f"/{n}", "title": "<" * 400, "stats": {"people": visitors}} for n in range(1000)
        ]  # a < takes 6 bytes of ours
        stack.turn(large, body=json.dumps({"pages": pages}))
    assert stack.rising(HOST).status == 200
    words = request(f"{PATH}?host={large}", KEY)
    slow = [SlowReader(stack.nginx.port, words) for _ in range(4)]
    with slow[0], slow[1], slow[2], slow[3], Load(stack, HOST, clients=2, pause_s=0.01) as load:
        await_true(lambda: all(len(one.heard) >= 12 for one in slow), 10, "the beginning of their answers")
        began_s = time.monotonic()
        load.await_more(150)
        slowest_s = load.slowest_s(after_s=began_s)
        assert load.statuses() == {200} and slowest_s < allow_s(1)
        whole = slow[0].finish()
    assert status(whole) == 200 and len(whole) > 2_000_000 and whole.endswith(b"]\n")
    measured(f"the only worker serves others, slowest {slowest_s:.2f} s; {len(whole) / 1e6:.1f} MB come whole")


@pytest.mark.parametrize(
    "name, words, allowed",
    [
        ("huge header", GOOD + "X-Big: " + "x" * 100_000 + "\r\n\r\n", {431, 400, 0}),
        ("huge key", GOOD.replace(KEY, "k" * 20_000) + "\r\n", {431, 400}),
        (
            "very many headers",
            GOOD + "".join(f"X-{n}: 1\r\n" for n in range(5000)) + "\r\n",
            {431, 400, 200, 0},
        ),
        ("huge URI", "GET /" + "x" * 100_000 + " HTTP/1.1\r\nHost: x\r\n\r\n", {414, 400, 0}),
        (
            "TE and CL",
            GOOD + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            {400},
        ),
        ("two CL", GOOD + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", {400}),
        ("NUL in the URI", "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
        ("NUL, encoded, in the path", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
        ("NUL in a header", GOOD + "X-A: a\0b\r\n\r\n", {400, 0}),
        ("no Host", "GET / HTTP/1.1\r\n\r\n", {400}),
        ("HTTP/9.9", "GET / HTTP/9.9\r\nHost: x\r\n\r\n", {400, 505, 0}),
        (
            "body too large",
            GOOD.replace("GET", "POST") + "Content-Length: 100000\r\n\r\n",
            {413, 405},
        ),
        ("garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, 0}),
        ("dot dot", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    ],
)
def test_bad_http(stack: Stack, name: str, words: str, allowed: set[int]) -> None:
    assert status(talk(stack, words.encode("latin-1"))) in allowed, name
    assert stack.rising(HOST).status == 200


def test_an_address_that_asks_too_much_hears_429(new_stack: Callable[..., Stack]) -> None:
    """From an address that is not this machine's loopback, which is not limited."""
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    outside = next((one for one in said if ":" not in one), None)
    if outside is None:
        pytest.skip("this machine has no address but the loopback's")
    stack = new_stack(address="0.0.0.0", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    stack.rising(HOST)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda _: many(stack.nginx.port, [f"{GOOD}\r\n"] * 500, outside), range(4)))
    answers = [answer for part in parts for answer in part]
    assert len(answers) == 2000 and {status(answer) for answer in answers} == {200, 429}
    head, _, body = next(answer for answer in answers if status(answer) == 429).partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/problem+json" in head
    assert int(re.findall(rb"\r\nRetry-After: (\d+)", head)[0]) >= 1 and json.loads(body)["bound"]


def test_a_viewer_that_asks_too_much_leaves_the_others_of_its_address_their_share(
    new_stack: Callable[..., Stack],
) -> None:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    outside = next((one for one in said if ":" not in one), None)
    if outside is None:
        pytest.skip("this machine has no address but the loopback's")
    stack = new_stack(address="0.0.0.0", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    assert stack.rising(HOST).status == 200
    greedy, modest = add_token(stack, HOST), add_token(stack, HOST)
    stack.address = outside
    with ThreadPoolExecutor(16) as pool:
        many = [pool.submit(stack.rising, HOST, greedy) for _ in range(1200)]
        answers = [stack.rising(HOST, modest) for _ in range(60)]
        refused = [one.result() for one in many if one.result().status != 200]
    assert {answer.status for answer in answers} == {200}
    assert refused and {answer.status for answer in refused} == {429}
    assert int(refused[0].headers["Retry-After"]) >= 1 and "view token" in refused[0].json["bound"]


def test_tokens_that_one_address_invents_leave_new_viewers_alone(tmp_path: Path) -> None:
    """In a small zone, that they fill: the limits of the snippets, in front of a file."""
    snippets, port = ROOT / "nginx" / "snippets", free_port()
    maps = re.sub(r"zone=upbeat_viewer:\w+", "zone=upbeat_viewer:64k", (snippets / "upbeat-http.conf").read_text())
    limits = re.findall(r"^limit_\w+ .*;", (snippets / "upbeat-fastcgi.conf").read_text(), re.M)
    user = "user root;" if os.geteuid() == 0 else ""
    maps = maps.replace("127.0.0.0/8 1;", "")  # they are limited here
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temps = " ".join(f"{one}_temp_path {tmp_path};" for one in kinds)
    (tmp_path / "file").write_text("here")
    (tmp_path / "maps.conf").write_text(maps)
    (tmp_path / "nginx.conf").write_text(
        f"{user} daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log crit; events {{ }}\n"
        f"http {{ {temps} include {tmp_path}/maps.conf; access_log off;"
        f" server {{ listen 127.0.0.1:{port}; root {tmp_path};"
        f" large_client_header_buffers 4 12k; location / {{ {' '.join(limits)} }} }} }}\n"
    )
    process = subprocess.Popen(["/usr/sbin/nginx", "-e", f"{tmp_path}/error.log", "-c", f"{tmp_path}/nginx.conf"])

    def ask(address: str, tokens: list[str]) -> set[int]:
        requests = [f"GET /file HTTP/1.1\r\nHost: x\r\nX-CB-AK: {token}\r\n\r\n" for token in tokens]
        return {status(reply) for reply in many(port, requests, source=address)}

    try:
        await_true(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip(), 10)
        for length in (33, 33, 1, 100, 400, 4000):
            invented = [f"ubt_{n:05}{'x' * (length - 5)}" for n in range(900)]
            assert 429 in ask("127.0.0.2", invented), "it is not limited"
            assert {frozenset(ask(f"127.0.7.{n}", ["ubt_" + "V" * 33])) for n in range(1, 100)} == {frozenset({200})}
    finally:
        end(process)


BYTES = [
    "%00",
    "%0a",
    "%0d%0aX: y",
    "%",
    "%zz",
    "%ff",
    "%c3%28",
    "%ed%a0%80",
    "'",
    '"',
    "<script>",
    "../",
    "\\",
    ";",
    "${jndi:x}",
    "{{7*7}}",
    "' or 1=1--",
    "\u202e",
    "🔥",
    "&",
    "=",
    "+",
    "#",
    "%2e%2e%2f",
]


def malformed(dice: random.Random) -> str:
    """The target and headers of a request that nobody sends in good faith."""
    name = dice.choice(["host", "apikey", "limit", "format", "callback", "jsonp"])
    junk = "".join(dice.choice(BYTES) for _ in range(dice.randint(1, 4)))
    junk = quote(junk, safe="%&=+;'./\\{}$:*()-")
    good = {"host": HOST, "apikey": KEY}
    kind = dice.randint(0, 5)
    if kind == 0:
        query = "&".join(f"{n}={v}" for n, v in (good | {name: junk}).items())
    elif kind == 1:
        query = "&".join(f"{n}={v}" for n, v in good.items()) + f"&{name}=1" * 2
    elif kind == 2:
        query = f"host={HOST}&apikey={KEY}&" + "x" * dice.randint(9000, 11000)
    elif kind == 3:
        query = "&".join(f"p{n}=1" for n in range(dice.randint(40, 400)))
    elif kind == 4:
        query = (
            f"host={junk}"
            + "&apikey="
            + dice.choice(["", "short", "k" * 200, "bad%20key", "%00" * 9])
        )
    else:
        return dice.choice(
            [f"/{junk}", f"{PATH}/{junk}", f"{PATH}%00", "/api/v1.0/" + "a" * 300, "//" + PATH]
        )
    return f"{PATH}?{query}"


def is_index(target: str) -> bool:
    """Does nginx make /api/v1.0/ of it, which is answered with the index?"""
    return posixpath.normpath(unquote(target.split("?")[0])) == "/api/v1.0"


def test_a_scan_gets_nothing_but_4xx_and_kills_nobody(stack: Stack) -> None:
    before = stack.pool.workers()
    seed = int(os.environ.get("UPBEAT_SEED", "1995"))
    dice = random.Random(seed)
    targets = [malformed(dice) for _ in range(SCANS)]
    tricks = [
        "",
        "X-CB-AK: a b\r\n",
        "X-CB-AK: " + "k" * 500 + "\r\n",
        "Accept: " + ",;" * 50 + "\r\n",
        'If-None-Match: "' + "x" * 300 + "\r\n",
        "X-CB-AK;: x\r\n",
        "X_CB_AK: leak\r\n",
    ]

    def scan(part: list[str]) -> dict[int, list[str]]:
        seen: dict[int, list[str]] = {}
        for number, target in enumerate(part):
            trick = tricks[number % len(tricks)]
            words = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{trick}\r\n"
            seen.setdefault(status(talk(stack, words.encode("utf-8", "replace"))), []).append(
                target
            )
        return seen

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(scan, (targets[n::4] for n in range(4))))
    odd = {
        code: [target for part in parts for target in part.get(code, []) if not is_index(target)][:3]
        for part in parts
        for code in part
        if not 400 <= code < 500
    }
    odd = {code: targets for code, targets in odd.items() if targets}
    assert not odd, f"seed {seed}: {odd}"
    assert sum(len(targets) for part in parts for targets in part.values()) == SCANS
    assert stack.pool.workers() == before
    lines = stack.pool.text().splitlines()
    assert not [line for line in lines if " error " in line or "script" in line or "jndi" in line]
