"""Three machines on loopback addresses: etcd, Patroni, HAProxy and PgBouncer, from the files of fcgi/cluster."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any, Callable
from urllib.request import ProxyHandler, Request, build_opener

import psycopg
import yaml

from servers.processes import ROOT, allow_s, as_user, await_true, own_by, program

FILES = ROOT / "fcgi" / "cluster"
NAMES = "abc"
USER = "postgres"
DIRECT = build_opener(ProxyHandler({}))
# A failover takes as long as ttl; the short form has no time for the 13 s of fcgi/cluster/patroni.yml.
SHORT_DCS = {"ttl": 7, "loop_wait": 1, "retry_timeout": 3}
WIRE = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
"""


def free_net() -> str:
    """The first two bytes of addresses that nobody listens on: 127.N."""
    for _ in range(50):
        net = f"127.{secrets.randbelow(200) + 20}"
        with socket.socket() as one:
            with contextlib.suppress(OSError):
                one.bind((f"{net}.0.1", 2379))
                return net
    raise RuntimeError("no loopback addresses are free")


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; by one look at /proc, since it may grow meanwhile."""
    parents: dict[int, int] = {}
    for place in os.listdir("/proc"):
        if place.isdigit():
            with contextlib.suppress(OSError):
                fields = Path("/proc", place, "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
                parents[int(place)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def send(pids: list[int], sign: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)


class Part:
    """One server of one machine; `kill()` as a loss of power does."""

    def __init__(self, folder: Path, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.log = folder / f"{name}.log"
        self.command = command
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        death = ["setpriv", "--pdeathsig", "KILL", "--"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*as_user(USER), *death, *self.command],
                cwd=self.log.parent,  # the checkout may be closed to its user
                env=dict(os.environ) | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def pids(self) -> list[int]:
        return tree(self.process.pid) if self.process and self.process.poll() is None else []

    def send(self, sign: int) -> None:
        send(self.pids(), sign)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        if self.process:
            self.process.wait()
        self.process = None


class Node(Part):
    """Patroni, with the PostgreSQL that it starts and that is no child of it."""

    def __init__(self, cluster: "Cluster", name: str, address: str) -> None:
        self.name, self.address = name, address
        self.data = cluster.folder / f"data-{name}"
        conf = cluster.folder / f"patroni-{name}.yml"
        super().__init__(cluster.folder, f"patroni-{name}", ["/usr/bin/patroni", str(conf)])

    def pids(self) -> list[int]:
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
            ours = str(self.data) in Path(f"/proc/{postmaster}/cmdline").read_text()
        except (OSError, ValueError, IndexError):
            ours = False
        return super().pids() + (tree(postmaster) if ours else [])

    def status(self) -> dict[str, Any]:
        """What Patroni says of itself; {} where it says nothing."""
        try:
            with DIRECT.open(f"http://{self.address}:8008/patroni", timeout=allow_s(1)) as answer:
                return json.load(answer)
        except (OSError, HTTPException, ValueError) as error:
            with contextlib.suppress(Exception):
                return json.load(error)  # type: ignore[arg-type]
            return {}


class Cluster:
    """`start()` makes and starts everything but upbeat itself. `folder` is open to the user postgres."""

    def __init__(self, folder: Path, is_short: bool) -> None:
        self.folder, self.is_short = folder, is_short
        self.net = free_net()
        self.addresses = {name: f"{self.net}.0.{number}" for number, name in enumerate(NAMES, 1)}
        roles = "POSTGRES REPLICATION REWIND UPBEAT WORKER FETCH HISTORY ALERT TOKEN".split()
        self.values = {f"{role}_PASSWORD": secrets.token_hex(12) for role in roles}
        self.values |= {name.upper(): address for name, address in self.addresses.items()}
        own_by(folder, USER)
        self.etcds = {name: self._etcd(name) for name in NAMES}
        self.wires = {name: self._wire(name) for name in NAMES}
        self.nodes = {name: self._node(name) for name in NAMES}
        self.haproxies = {name: self._haproxy(name) for name in NAMES}
        self.bouncers = {name: self._bouncer(name) for name in NAMES}

    # --- Files --------------------------------------------------------------------------------------------------------

    def render(self, name: str, machine: str) -> str:
        """A file of fcgi/cluster as it is on this machine."""
        text = (FILES / name).read_text(encoding="utf-8")
        for word, value in (self.values | {"NAME": machine, "SELF": self.addresses[machine]}).items():
            text = text.replace(f"@{word}@", value)
        return text

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        own_by(path, USER)
        return path

    def _etcd(self, name: str) -> Part:
        lines = [line for line in self.render("etcd.env", name).splitlines() if not line.startswith("#")]
        settings = dict(line.split("=", 1) for line in lines)
        settings["ETCD_DATA_DIR"] = str(self.folder / f"etcd-{name}")
        settings["ETCD_UNSAFE_NO_FSYNC"] = "true"
        return Part(self.folder, f"etcd-{name}", ["/usr/bin/etcd"], settings)

    def _wire(self, name: str) -> Part:
        """What lies between a Patroni and the etcds: stopped, it is a network that is cut."""
        listens = "".join(
            f"listen {other}\n    bind {self.net}.9.{NAMES.index(name) + 1}:{2401 + number}\n"
            f"    server one {self.addresses[other]}:2379\n"
            for number, other in enumerate(NAMES)
        )
        return Part(self.folder, f"wire-{name}", self._haproxy_command(f"wire-{name}.cfg", WIRE + listens))

    def _haproxy_command(self, name: str, text: str) -> list[str]:
        return [str(program("haproxy")), "-db", "-q", "-f", str(self.write(name, text))]

    def _haproxy(self, name: str) -> Part:
        command = self._haproxy_command(f"haproxy-{name}.cfg", self.render("haproxy.cfg", name))
        return Part(self.folder, f"haproxy-{name}", command)

    def _bouncer(self, name: str) -> Part:
        users = self.write("userlist.txt", self.render("userlist.txt", name))
        text = self.render("pgbouncer.ini", name).replace("/etc/pgbouncer/userlist.txt", str(users))
        path = self.write(f"pgbouncer-{name}.ini", text)
        return Part(self.folder, f"pgbouncer-{name}", [str(program("pgbouncer")), "-q", str(path)])

    def _node(self, name: str) -> Node:
        conf = yaml.safe_load(self.render("patroni.yml", name))
        wire = f"{self.net}.9.{NAMES.index(name) + 1}"
        conf["etcd"] = {"hosts": [f"{wire}:{2401 + number}" for number in range(3)], "use_proxies": True}
        dcs, postgresql = conf["bootstrap"]["dcs"], conf["postgresql"]
        dcs |= SHORT_DCS if self.is_short else {}
        dcs["postgresql"]["parameters"] |= {"shared_buffers": "64MB", "fsync": "off"}
        conf["bootstrap"]["initdb"].append("no-sync")
        socket_folder = self.folder / f"socket-{name}"
        socket_folder.mkdir()
        own_by(socket_folder, USER)
        postgresql["parameters"]["unix_socket_directories"] = str(socket_folder)
        postgresql["data_dir"] = str(self.folder / f"data-{name}")
        postgresql["pgpass"] = str(self.folder / f"pgpass-{name}")
        # Our own process and the witness come from other loopback addresses than the machines'.
        postgresql["pg_hba"].append("host all all 127.0.0.0/8 scram-sha-256")
        postgresql["pg_hba"].append("host replication replicator 127.0.0.0/8 scram-sha-256")
        self.write(f"patroni-{name}.yml", yaml.safe_dump(conf))
        return Node(self, name, self.addresses[name])

    # --- Start and stop -----------------------------------------------------------------------------------------------

    def parts(self) -> list[Part]:
        rows: list[dict[str, Any]] = [self.wires, self.etcds, self.nodes, self.haproxies, self.bouncers]
        return [part for row in rows for part in row.values()]

    def start(self) -> "Cluster":
        for part in [*self.etcds.values(), *self.wires.values()]:
            part.start()
        await_true(self.has_etcd, 20, f"etcd; see {self.folder}")
        self.nodes["a"].start()
        await_true(self.leader, 60, f"a primary; see {self.folder}")
        for name in "bc":
            self.nodes[name].start()
        for part in [*self.haproxies.values(), *self.bouncers.values()]:
            part.start()
        await_true(self.is_whole, 90, f"two standbys; see {self.folder}")
        self.sql(self.render("roles.sql", "a"), database="postgres")
        owner = self.string("hosts", "a") + " user=upbeat password=" + self.values["UPBEAT_PASSWORD"]
        subprocess.run([ROOT / "sql" / "migrate", owner], check=True, stdout=subprocess.DEVNULL)
        return self

    def stop(self) -> None:
        for part in reversed(self.parts()):
            part.kill()

    # --- Questions ----------------------------------------------------------------------------------------------------

    def has_etcd(self) -> bool:
        """All of them, through all wires."""
        urls = [f"http://{self.net}.9.{node}:{2401 + etcd}/health" for node in (1, 2, 3) for etcd in range(3)]
        try:
            return all(b"true" in DIRECT.open(url, timeout=2).read() for url in urls)
        except (OSError, HTTPException):
            return False

    def leader(self) -> str:
        """The machine whose PostgreSQL is the primary by what its Patroni says; empty where none is."""
        for name, node in self.nodes.items():
            status = node.status()
            if status.get("role") in ("master", "primary") and status.get("state") == "running":
                return name
        return ""

    def is_whole(self) -> bool:
        """One primary, two standbys that stream from it, one of them synchronous."""
        leader = self.leader()
        if not leader:
            return False
        states = [one.get("state") for one in self.nodes[leader].status().get("replication", [])]
        syncs = [one.get("sync_state") for one in self.nodes[leader].status().get("replication", [])]
        return states.count("streaming") == 2 and "sync" in syncs

    def standby(self, kind: str) -> str:
        """The machine that is the standby of this kind: sync or async."""

        def name() -> str:
            rows = self.nodes[leader].status().get("replication", []) if (leader := self.leader()) else []
            return next((row["application_name"] for row in rows if row["sync_state"] == kind), "")

        return await_true(name, 60, f"a standby that is {kind}")

    def switch_over(self) -> None:
        leader, candidate = self.leader(), self.standby("sync")
        body = json.dumps({"leader": leader, "candidate": candidate}).encode()
        url, headers = f"http://{self.addresses[leader]}:8008/switchover", {"Content-Type": "application/json"}
        request = Request(url, body, headers, method="POST")
        with DIRECT.open(request, timeout=60) as answer:
            answer.read()

    def connect(self, machine: str, database: str = "upbeat") -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(
            host=self.addresses[machine],
            dbname=database,
            user="postgres",
            password=self.values["POSTGRES_PASSWORD"],
            connect_timeout=2,
            autocommit=True,
        )

    def sql(self, text: str, database: str = "upbeat") -> list[tuple[Any, ...]]:
        """On the primary."""
        with self.connect(await_true(self.leader, 60, "a primary"), database) as connection:
            for statement in text.split(";\n"):
                if statement.strip():
                    cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def string(self, route: str, machine: str) -> str:
        """What upbeat on this machine connects with: by all three hosts, from this one on (the primary of them, or for
        reads a standby); by HAProxy; by PgBouncer."""
        own, at = self.addresses[machine], NAMES.index(machine)
        ports = {"haproxy": 5000, "pgbouncer": 6432}
        if route in ports:
            return f"host={own} port={ports[route]} dbname=upbeat"
        hosts = list(self.addresses.values())
        hosts = hosts[at:] + hosts[:at]
        attributes = "prefer-standby" if route == "standbys" else "read-write"
        return f"host={','.join(hosts)} port=5432 dbname=upbeat target_session_attrs={attributes}"


def until(holds: Callable[[], Any], within_s: float) -> float:
    """Seconds until it holds; within_s where it never does."""
    began_s = time.monotonic()
    while not holds() and time.monotonic() - began_s < within_s:
        time.sleep(0.1)
    return time.monotonic() - began_s
