"""Where it is run: behind a company's proxy or a balancer, in a small container; and what nginx says by itself."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Iterator

import pytest

from servers.processes import ROOT, await_true, own_by
from servers.proxy import Proxy
from servers.simulator import Simulator
from servers.stack import KEY, PATH, Stack, page
from servers.up import Up

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(cached=True, UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


@pytest.fixture(scope="module")
def dead(new_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """The workers of both pools are gone, and so are their sockets."""
    one = new_stack(cached=True)
    pools = (one.pool, one.reports)
    before = {pool.log: (pool.text().count("serving"), len(pool.workers())) for pool in pools}
    for pool in pools:
        workers = pool.workers()
        os.kill(pool.pid, signal.SIGSTOP)  # so that none is started again
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        pool.socket.rename(pool.socket.with_suffix(".away"))
        pool.socket.touch()  # nobody listens
    yield one
    for pool in pools:
        pool.socket.with_suffix(".away").rename(pool.socket)
        os.kill(pool.pid, signal.SIGCONT)
        count, workers_count = before[pool.log]
        await_true(lambda: pool.text().count("serving") >= count + workers_count, 10, "the workers again")


# nginx's own pages

NOWHERE = ["/index.html", "/index.php", "/50x.html", "/favicon.ico", "/nginx_status"]
NOWHERE += ["/api", "/api/v1.1/x", "/api/v1.0x", "/.git/config"]


@pytest.mark.parametrize("path", NOWHERE)
def test_nginx_has_no_pages_of_its_own(stack: Stack, dead: Stack, path: str) -> None:
    for one in (stack, dead):
        answer = one.ask(path)
        assert (answer.status, answer.headers["Content-Type"]) == (404, PROBLEM), answer
        assert answer.json["status"] == 404 and answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/", "/api/v1.0", "/api/v1.0/", PATH, "/api/v1.0/trends", "/readyz"])
def test_with_every_worker_dead_it_says_so_in_the_same_form(dead: Stack, path: str) -> None:
    answer = dead.ask(path, query="host=a.example")
    assert (answer.status, answer.headers["Content-Type"]) == (502, PROBLEM), answer
    assert answer.headers["Retry-After"] and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    called = dead.ask(path, query="host=a.example&callback=cb")
    assert called.status == 200 and called.headers["Content-Type"].startswith("application/javascript"), called
    text = called.body.decode()
    assert text.startswith("/**/cb(") and json.loads(text[7:-3])["status"] == 502


@pytest.mark.parametrize(
    "request_text, status",
    [
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
        (b"GET /index.html HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ],
)
def test_whatever_nginx_refuses_by_itself_is_no_html(stack: Stack, request_text: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", stack.nginx.port), timeout=10) as one:
        one.sendall(request_text)
        answer = http.client.HTTPResponse(one)
        answer.begin()
        assert (answer.status, answer.headers["Content-Type"]) == (status, PROBLEM)
        assert json.loads(answer.read())["status"] == status


def test_a_condition_on_a_copy_is_no_html(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/", 1)])
    for _ in range(2):
        answer = stack.rising(host, headers={"If-Match": '"other"'})
        assert answer.status in (200, 412) and answer.headers["Content-Type"] in (PROBLEM, "application/json")


# Behind a balancer or CDN


def test_it_is_compressed_behind_a_proxy_too(stack: Stack) -> None:
    for via in ({}, {"Via": "1.1 balancer"}, {"Via": "1.1 cdn", "X-Forwarded-For": "192.0.2.1", "Authorization": "x"}):
        answer = stack.ask("/api/v1.0/openapi.json", headers={"Accept-Encoding": "gzip"} | via)
        assert answer.headers["Content-Encoding"] == "gzip", via
        assert "Accept-Encoding" in ",".join(answer.headers.get_all("Vary"))


def test_the_site_file_says_how_readers_keep_their_addresses() -> None:
    site = (ROOT / "nginx" / "upbeat.conf").read_text()
    readme = (ROOT / "nginx" / "README.md").read_text()
    for word in ("set_real_ip_from", "real_ip_header"):
        assert re.search(rf"^ *# *{word}", site, re.M) and word in readme


def test_with_these_lines_readers_are_told_apart(new_stack: Callable[..., Stack], host: str) -> None:
    one = new_stack()
    site = (ROOT / "nginx" / "upbeat.conf").read_text()
    found = re.findall(r"^ *# *((?:set_real_ip_from|real_ip_header|real_ip_recursive) .*)$", site, re.M)
    lines = "\n".join(found).replace("10.0.0.5", "127.0.0.0/8")
    conf = one.nginx.conf.read_text()
    one.nginx.stop()
    one.nginx.conf.write_text(conf.replace("    server {\n", "    server {\n" + lines + "\n"))
    one.nginx.start()
    assert one.ask("/", headers={"X-Forwarded-For": "192.0.2.7"}).status == 200
    await_true(lambda: "192.0.2.7 " in one.nginx.logs[0].read_text(), 5, "the reader's address in the log")


# A container


def test_a_full_dev_shm_costs_copies_and_never_answers(new_stack: Callable[..., Stack], host: str) -> None:
    """On a file system of the size of a small container's, in place of /dev/shm, that somebody else fills."""
    one = new_stack(cached=True, UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")
    place = one.folder / "shm"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m,mode=1777", "upbeat", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a file system can't be mounted here")
    try:
        snippets = one.folder / "snippets"
        snippets.unlink()
        shutil.copytree(ROOT / "nginx" / "snippets", snippets)
        copied = snippets / "upbeat-copies.conf"
        assert "UPBEAT_CACHE /dev/shm;" in copied.read_text()
        copied.write_text(copied.read_text().replace("UPBEAT_CACHE /dev/shm;", f"UPBEAT_CACHE {place};"))
        one.nginx.stop()
        conf = one.nginx.conf.read_text()
        path = "fastcgi_cache_path "
        one.nginx.conf.write_text(conf.replace(f"{path}{one.folder}/cache", f"{path}{place}/copies"))
        one.nginx.start()
        one.simulator.script(host, [page(f"/{n}", n, "x" * 900) for n in range(1, 90)])
        assert one.rising(host).status == 200
        for table in ("cache", "snapshots"):
            one.database.rows(f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host)
        one.simulator.script(host, [page(f"/{n}", 2 * n, "x" * 900) for n in range(1, 90)])
        await_true(lambda: (answer := one.rising(host)).status == 200 and answer.json, 5, "an answer of some length")

        def all_answer() -> None:
            for n in range(200):
                answer = one.rising(host, limit=90 - n % 30, x=n)
                assert answer.status == 200 and len(answer.body) == int(answer.headers["Content-Length"])

        def copies() -> int:
            return sum(one.is_file() for one in (place / "copies").rglob("*"))

        all_answer()
        await_true(lambda: one.rising(host, x="room") and copies() > 0, 5, "copies while there is room")
        with open(place / "ballast", "wb", buffering=0) as ballast, pytest.raises(OSError):
            while True:
                ballast.write(b"x" * 4096)
        assert os.statvfs(place).f_bavail == 0
        all_answer()
        (place / "ballast").unlink()
        before = copies()
        await_true(lambda: one.rising(host, x=os.urandom(4).hex()) and copies() > before, 5, "copies again")
    finally:
        one.nginx.stop()
        subprocess.run(["umount", "-l", str(place)], check=True)


# Behind a company's proxy


@pytest.fixture
def state() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="up-"))
    place.chmod(0o755)
    yield place / "state"
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def up(state: Path) -> Iterator[Callable[..., Up]]:
    made: list[Up] = []

    def make(**settings: str) -> Up:
        made.append(Up(state, **settings))
        return made[-1]

    yield make
    for one in made:
        if hasattr(one, "process") and one.process.poll() is None:
            one.stop(signal.SIGTERM)


@pytest.mark.once
@pytest.mark.parametrize("names", ["http_proxy https_proxy all_proxy", "HTTP_PROXY HTTPS_PROXY ALL_PROXY"])
def test_up_gets_ready_where_the_proxy_leads_nowhere(up: Callable[..., Up], names: str) -> None:
    one = up(**dict.fromkeys(names.split(), "http://127.0.0.1:9"), no_proxy="intranet.example").start().await_ready()
    assert one.rising() == (200, [])
    assert one.stop()[0] == 0


@pytest.mark.once
@pytest.mark.parametrize("scheme, upper", [("https", False), ("https", True), ("http", False)])
def test_chartbeat_and_nothing_else_goes_through_the_proxy(
    up: Callable[..., Up], folder: Path, host: str, scheme: str, upper: bool
) -> None:
    name = "chartbeat.example"
    with Simulator(source="script", latency_ms=0, key=f"{KEY}=*") as simulator:
        place = Path(tempfile.mkdtemp(dir=folder))
        place.chmod(0o755)
        proxy = Proxy(place, simulator.upstream_url, name)
        proxies = {f"{word}_proxy": proxy.url for word in ("http", "https")}
        settings = {key.upper() if upper else key: value for key, value in proxies.items()}
        settings["CURL_CA_BUNDLE" if upper else "SSL_CERT_FILE"] = str(proxy.authority)
        simulator.script(host, [page("/", 7)])
        one = up(CHARTBEAT_URL=f"{scheme}://{name}/live/toppages/v3/", **settings).start().await_ready()
        assert one.rising(KEY, host) == (200, [])
        assert one.stop()[0] == 0
        proxy.stop()
        assert proxy.asked and set(proxy.asked) <= {name, f"{name}:443"}, proxy.asked
        assert simulator.counts()["hosts"][host] >= 1


@pytest.mark.once
def test_copies_get_a_part_of_what_memory_there_is(up: Callable[..., Up], state: Path) -> None:
    one = up().start().await_ready()
    conf = (state / "nginx" / "nginx.conf").read_text()
    most, least = (int(re.search(rf"{word}=(\d+)m", conf)[1]) for word in ("max_size", "min_free"))
    room = os.statvfs("/dev/shm")
    assert 1 <= most <= max(room.f_blocks * room.f_frsize // 4 >> 20, 1) and least >= 1
    assert one.stop()[0] == 0


def test_sudo_keeps_the_proxy_for_apt(folder: Path) -> None:
    """With commands in place of sudo and apt-get, as a user who is not root."""
    place = Path(tempfile.mkdtemp(dir=folder))
    for name, text in {
        "sudo": '#!/bin/sh\necho "sudo $*" >>"$OUT"\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n',
        "apt-get": '#!/bin/sh\necho "apt http=$http_proxy" >>"$OUT"\n',
        "dpkg-query": "#!/bin/sh\nexit 1\n",
    }.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    place.chmod(0o777)
    shutil.copy(ROOT / "fcgi" / "packages.sh", place)  # the source tree may be closed to others
    out = place / "out"
    script = f". {place}/packages.sh; install_missing some-package"
    environment = {"PATH": f"{place}:/usr/bin:/bin", "OUT": str(out), "http_proxy": "http://proxy.example:3128"}
    user = ["setpriv", "--reuid=nobody", "--clear-groups", "--"] if os.geteuid() == 0 else []
    own_by(place, "nobody")
    subprocess.run([*user, "bash", "-euc", script], env=environment, check=True, timeout=20, cwd=place)
    said = out.read_text()
    assert re.match("sudo --preserve-env=[a-z_,]*http_proxy", said)
    assert "apt http=http://proxy.example:3128" in said
