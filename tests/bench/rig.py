"""Starts everything that is measured, on free ports and in a private folder, and stops it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from servers.simulator import Simulator  # noqa: E402

BUILT = ROOT / "build" / "bench"
KEY = "bench-key-0001"
HOST = "bench.example"
PATH = f"/api/v1.0/increasingconcurrents?host={HOST}"
COPY = "fastcgi_cache copy; fastcgi_cache_valid 1h; fastcgi_cache_key $args; sendfile off; open_file_cache max=100;"
OTHERS = 8  # processes of each of the pools that are measured beside ours
LISTS = 500  # one each 3 s, while the host is asked for
READY_WITHIN_S = 120.0
ASKED_EVERY_MS = 3150  # the TTL, and what a refill takes
REFILLED_AFTER_S = 4.0

DIRECT = build_opener(ProxyHandler({}))  # what is on this machine is never asked through a proxy


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def get(url: str, key: str = KEY) -> bytes:
    """Raises HTTPError."""
    with DIRECT.open(Request(url, headers={"X-CB-AK": key}), timeout=10) as answer:
        return answer.read()


def await_true(holds: Any, what: str, within_s: float = 20.0) -> None:
    """Raises RuntimeError."""
    until_s = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except OSError:
            pass
        if time.monotonic() > until_s:
            raise RuntimeError(f"{what} is not ready after {within_s:g} s")
        time.sleep(0.05)


class Rig:
    """`with Rig() as rig`: fcgi/up against a simulator of its own."""

    def __init__(
        self,
        workers: int = 0,
        pages: int = 100,
        latency_ms: int = 100,
        simulator: dict[str, Any] | None = None,
        **settings: str,
    ) -> None:
        self._simulated = {"worlds": 1} | (simulator or {})
        self._workers = workers or min(max(os.cpu_count() or 2, 2), 4)  # as fcgi/up has it
        self._pages = pages
        self._latency_ms = latency_ms
        self._settings = settings
        self._go_port = 9
        self._children: list[subprocess.Popen[Any]] = []
        self.folder = Path(tempfile.mkdtemp(prefix="upbeat-bench-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.urls: dict[str, str] = {}

    def __enter__(self) -> "Rig":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._show_logs()
        self.stop()

    def _show_logs(self) -> None:
        for log in self.folder.glob("*.log"):
            if not log.name.startswith("nginx"):
                lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-60:]
                print(f"--- {log.name}", *lines, sep="\n", file=sys.stderr)

    def stop(self) -> None:
        while self._children:
            child = self._children.pop()
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if hasattr(self, "simulator"):
            self.simulator.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def child(self, name: str, *command: str, **more: Any) -> subprocess.Popen[Any]:
        log = open(self.folder / f"{name}.log", "w", encoding="utf-8")
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **more
        )
        log.close()
        self._children.append(process)
        return process

    def _start(self) -> None:
        self.simulator = Simulator(
            key=f"{KEY}=*", latency_ms=self._latency_ms, limit_per_minute=60000, **self._simulated
        ).start()
        port = free_port()
        environment = os.environ | {
            "UPBEAT_LISTEN": f"127.0.0.1:{port}",
            "UPBEAT_STATE": str(self.state),
            "UPBEAT_WORKERS": str(self._workers),
            "UPBEAT_LOG": "warning",
            "CHARTBEAT_URL": self.simulator.upstream_url + "/live/toppages/v3/",
            "CHARTBEAT_LIMIT": str(self._pages),
            **self._settings,
        }
        self.child("up", str(ROOT / "fcgi" / "up"), env=environment)
        self._await_ready()
        self.urls["hit"] = f"http://127.0.0.1:{port}{PATH}"

    def _await_ready(self) -> None:
        log = self.folder / "up.log"
        await_true(
            lambda: "\nready " in log.read_text(encoding="utf-8") or self._children[-1].poll() is not None,
            "fcgi/up",
            READY_WITHIN_S,
        )
        if self._children[-1].poll() is not None:
            raise RuntimeError(log.read_text(encoding="utf-8"))

    # --- What is measured beside it ------------------------------------------------------------

    @property
    def sockets(self) -> Path:
        return self.state / "run" / "postgresql"

    def sql(self, text: str, database: str = "upbeat", user: str = "postgres") -> str:
        command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets)]
        done = subprocess.run(
            [*command, "-U", user, "-d", database, "-c", text],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return done.stdout

    def script_lists(self) -> None:
        """Of 100 pages, half of which rise by one from list to list: the answer has the same length throughout."""
        title = "What the council decided on the {:03d}th item of its agenda"
        lists = [
            [
                {"path": f"/news/article-{n:03d}", "title": title.format(n), "visitors": 1000 + n + number * (n % 2)}
                for n in range(100)
            ]
            for number in range(LISTS)
        ]
        self.simulator.script(HOST, sequence=lists)

    def two_snapshots(self) -> bytes:
        """Asks until the host has a list to answer; the list."""
        body = b"[]\n"

        def has_list() -> bool:
            nonlocal body
            body = get(self.urls["hit"])
            return len(json.loads(body)) > 10

        await_true(has_list, "the host's second snapshot")
        return body

    def start_others(self, body: bytes, with_prototype: bool = True) -> None:
        """The bare loops, the Go server, the prototype, and one nginx in front of them all."""
        (self.folder / "body").write_bytes(body)
        database = f"host={self.sockets} dbname=upbeat user=upbeat_worker"
        self._pool("loop", str(BUILT / "loop"), str(self.folder / "body"))
        self._pool("select", str(BUILT / "loop"), str(self.folder / "body"), database, HOST)
        self._start_go()
        names = ["return", "copy", "loop", "select", "worker", "go"]
        if with_prototype:
            self._start_prototype()
            names.append("prototype")
        ports = {name: free_port() for name in names}
        self._start_nginx(body, ports)
        for name, port in ports.items():
            query = f"&apikey={KEY}" if name == "prototype" else ""
            self.urls[name] = f"http://127.0.0.1:{port}{PATH}{query}"
            await_true(lambda url=self.urls[name]: get(url), name)
        self.urls["trends"] = self.urls["worker"].replace("increasingconcurrents", "trends")

    def start_nginx_only(self) -> None:
        """The worker path, and `return 200` to compare it with."""
        ports = {"worker": free_port(), "return": free_port()}
        self._start_nginx(b"x" * 6000, ports)
        self.urls |= {name: f"http://127.0.0.1:{port}{PATH}" for name, port in ports.items()}
        await_true(lambda: get(self.urls["worker"]), "worker")

    def _pool(self, name: str, *command: str) -> None:
        path = self.folder / f"{name}.sock"
        pool = ["/usr/bin/multiwatch", "-r", "1000000", "-f", str(OTHERS), "--", *command]
        self.child(name, "spawn-fcgi", "-n", "-s", str(path), "-M", "0666", "--", *pool)
        await_true(path.exists, name)

    def _start_go(self) -> None:
        rows = self.sql(
            "select json_agg(json_build_object('i', title, 'path', path, 'visitors', visitors)"
            f" order by rank) from snapshot_pages where host = '{HOST}'"
            " group by \"time\" order by \"time\" desc limit 2"
        ).splitlines()
        now, before = (json.loads(row) for row in rows)
        lists = self.folder / "lists.json"
        lists.write_text(json.dumps([before, now]), encoding="utf-8")
        self._go_port = free_port()
        self.child("go", str(BUILT / "behind"), f"127.0.0.1:{self._go_port}", str(lists))

    def _start_prototype(self) -> None:
        redis = self.folder / "redis.sock"
        self.child(
            "redis", "redis-server", "--port", "0", "--unixsocket", str(redis), "--save", ""
        )
        await_true(redis.exists, "redis")
        self.sql("create database prototype", "postgres")
        environment = {
            "PATH": "/usr/bin:/bin",
            "PROTOTYPE_DATABASE": f"postgresql+psycopg2://postgres@/prototype?host={self.sockets}",
            "PROTOTYPE_REDIS": str(redis),
            "PROTOTYPE_UPSTREAM": self.simulator.upstream_url + "/live/toppages/",
        }
        self.child(
            "prototype",
            *("/usr/bin/uwsgi", "--plugin", "python3", "--master", "--need-app"),
            *("--socket", str(self.folder / "prototype.sock"), "--chmod-socket=666"),
            *("--processes", str(OTHERS), "--listen", "1000", "--disable-logging"),
            *("--chdir", str(Path(__file__).parent), "--module", "prototype:app", "--die-on-term"),
            env=environment,
        )
        await_true((self.folder / "prototype.sock").exists, "the prototype")

    def _start_nginx(self, body: bytes, ports: dict[str, int]) -> None:
        folder = self.folder / "nginx"
        shutil.copytree(ROOT / "nginx" / "snippets", folder / "snippets")
        user = "www-data" if os.geteuid() == 0 else ""
        conf = folder / "nginx.conf"
        conf.write_text(self._nginx_conf(folder, user, body, ports), encoding="utf-8")
        log = str(self.folder / "nginx-error.log")
        self.child("nginx", "/usr/sbin/nginx", "-e", log, "-c", str(conf))

    def _nginx_conf(self, folder: Path, user: str, body: bytes, ports: dict[str, int]) -> str:
        temp = "".join(
            f"    {name}_temp_path {folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        sockets = {name: self.folder / f"{name}.sock" for name in ("loop", "select")}
        sockets["upbeat"] = self.state / "run" / "upbeat.sock"
        sockets["upbeat_reports"] = self.state / "run" / "reports.sock"
        upstreams = "".join(
            f"    upstream {name} {{ server unix:{path} max_fails=0; keepalive 64;"
            " keepalive_requests 1000; }\n"
            for name, path in sockets.items()
        )
        upstreams += (
            f"    upstream go {{ server 127.0.0.1:{self._go_port}; keepalive 64;"
            " keepalive_requests 1000; }\n"
        )
        servers = {
            "return": f"location / {{ default_type application/json;\n{_return(body)} }}",
            "copy": f"location / {{ {_fastcgi('loop', COPY)} }}",
            "loop": f"location / {{ {_fastcgi('loop')} }}",
            "select": f"location / {{ {_fastcgi('select')} }}",
            "worker": "include snippets/upbeat-locations.conf;",
            "go": 'location / { proxy_pass http://go; proxy_http_version 1.1;'
            ' proxy_set_header Connection ""; }',
            "prototype": f"location / {{ include /etc/nginx/uwsgi_params;"
            f" uwsgi_pass unix:{self.folder}/prototype.sock; }}",
        }
        log = self.folder / "nginx-access.log"
        text = "".join(
            f"    server {{ listen 127.0.0.1:{port}; access_log {log} upbeat buffer=64k flush=1s;"
            f" error_log {self.folder}/nginx-error.log emerg;\n    {servers[name]}\n    }}\n"
            for name, port in ports.items()
        )
        return (
            (f"user {user};\n" if user else "")
            + f"daemon off;\npid {folder}/nginx.pid;\nworker_processes auto;\n"
            + "events { worker_connections 4096; }\nhttp {\n"
            + "    include /etc/nginx/mime.types;\n    include snippets/upbeat-http.conf;\n"
            + temp
            + f"    fastcgi_cache_path {folder}/copy keys_zone=copy:1m;\n"
            + upstreams
            + text
            + "}\n"
        )


def _fastcgi(name: str, more: str = "") -> str:
    """The parameters that the worker gets, too; with `more`, nothing else of what the snippet says."""
    lines = (ROOT / "nginx" / "snippets" / "upbeat-fastcgi.conf").read_text(encoding="utf-8").splitlines()
    if more:
        lines = [line for line in lines if line.startswith("fastcgi_keep_conn")] + [more]
    return "\n        ".join([f"fastcgi_pass {name};", *lines])


def _return(body: bytes) -> str:
    """The body in pieces, since a word of nginx's configuration has at most 4 kB; without dollars."""
    text = body.decode().replace("\\", "\\\\").replace("'", "\\'").replace("$", "S")
    pieces = []
    while text:
        piece = text[:1200]
        # Not between a backslash and what it escapes.
        while piece.endswith("\\") and len(text) > len(piece):
            piece = text[: len(piece) + 1]
        pieces.append(piece)
        text = text[len(piece) :]
    sets = "".join(f"        set $p{n} '{piece}';\n" for n, piece in enumerate(pieces))
    return f"{sets}        return 200 '{''.join(f'$p{n}' for n in range(len(pieces)))}';"


class Poller:
    """Asks for each of the hosts refill-0.example and so on once its row has grown old, by wrk."""

    def __init__(self, rig: Rig, hosts: int) -> None:
        """They are known afterwards."""
        self._rig, self._hosts = rig, hosts
        self._path = PATH.replace(HOST, "refill-")
        self._wrk: subprocess.Popen[Any] | None = None
        for number in range(hosts):
            get(rig.urls["hit"].replace(PATH, f"{self._path}{number}.example"))

    def __enter__(self) -> "Poller":
        return self

    def __exit__(self, *_: object) -> None:
        self.pause()

    def go_on(self) -> None:
        """Waits until what has grown old meanwhile was refilled, and the next time begins."""
        script = str(Path(__file__).parent / "poll.lua")
        load = ["wrk", "-t1", f"-c{self._hosts}", "-d1h", "--timeout", "5s", "-s", script]
        url = self._rig.urls["hit"].replace(PATH, "/")
        self._wrk = self._rig.child("poller", *load, url, "--", self._path, str(self._hosts), str(ASKED_EVERY_MS), KEY)
        time.sleep(REFILLED_AFTER_S)

    def pause(self) -> None:
        """Raises RuntimeError where it has ended by itself."""
        if self._wrk and self._wrk.poll() is not None:
            raise RuntimeError("the poller has failed")
        if self._wrk:
            self._wrk.terminate()
            self._wrk.wait()
            self._wrk = None
        time.sleep(0.5)


def status_of(url: str) -> int:
    try:
        get(url)
        return 200
    except HTTPError as error:
        return error.code
