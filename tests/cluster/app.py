"""An app machine: nginx, two pools, two fetchers, history and alert, on an address of its own."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from machines import Cluster, send, tree
from servers.fetchers import Fetchers
from servers.nginx import Nginx
from servers.pool import Pool
from servers.processes import build_folder

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


class App:
    """`clock_s`: so many seconds before all others."""

    def __init__(self, cluster: Cluster, machine: str, upstream: str, secret: Path) -> None:
        self.cluster, self.machine = cluster, machine
        self.address = cluster.addresses[machine]
        self._upstream, self._secret = upstream, secret
        self._serial = 0

    def start(self, route: str = "hosts", order: str = "", clock_s: float = 0, **more: str) -> "App":
        """`order`: the string begins with that machine in place of this one."""
        self._serial += 1
        self.folder = self.cluster.folder / f"app-{self.machine}-{self._serial}"
        self.folder.mkdir()
        self.folder.chmod(0o755)
        passfile = self.folder / "pgpass"
        passfile.write_text(self.cluster.render("pgpass", self.machine))
        passfile.chmod(0o600)
        settings = {
            "UPBEAT_DATABASE": self.cluster.string(route, order or self.machine),
            "PGPASSFILE": str(passfile),
            "UPBEAT_SECRET_FILE": str(self._secret),
            "UPBEAT_PREPARE": "off" if route == "pgbouncer" else "on",
            "UPBEAT_ALERT_ALLOW": "127.0.0.0/8",
            "CHARTBEAT_URL": self._upstream,
        } | more
        self._clock = {}
        if clock_s:
            self._clock = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"{clock_s:+g}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
            settings |= self._clock
        self.fetchers = Fetchers(self.folder, settings).start()
        self.pool = Pool(self.folder, settings).start()
        self.reports = Pool(self.folder, settings, "reports", 1).start()
        self._beside = [self._spawn(name, self.pool.environment) for name in ("history", "alert")]
        with self._set(self._clock):
            self.nginx = Nginx(self.folder, self.pool.socket, self.reports.socket, self.address, cached=True).start()
        self.port = self.nginx.port
        return self

    @staticmethod
    @contextlib.contextmanager
    def _set(values: dict[str, str]):
        os.environ.update(values)
        yield
        for name in values:
            del os.environ[name]

    def _spawn(self, name: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(
                [str(build_folder() / "fcgi" / f"upbeat-{name}"), "--loop"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def alert(self, *arguments: str) -> None:
        """A command of upbeat-alert, as an operator types it on this machine, whose programs run."""
        program = str(build_folder() / "fcgi" / "upbeat-alert")
        subprocess.run([program, *arguments], env=self.pool.environment, check=True, capture_output=True, timeout=30)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    def pids(self) -> list[int]:
        tops = [part.pid for part in (self.pool, self.reports, self.fetchers)]
        tops += [one.pid for one in self._beside] + [self.nginx._process.pid]  # noqa: SLF001
        return [pid for top in tops for pid in tree(top)]

    def kill(self) -> None:
        """All at once, as a loss of power does."""
        send(self.pids(), signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        for part in (self.nginx, self.pool, self.reports, self.fetchers):
            part.stop()
        for one in self._beside:
            one.terminate()
        for one in self._beside:
            try:
                one.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()

    def stop(self) -> None:
        self._reap()
