"""A private PostgreSQL cluster, and migrated databases in it."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any, Iterator

import psycopg

from .processes import ROOT, as_user, await_true, children_of, end, own_by

PROGRAMS = ("upbeat_worker", "upbeat_fetch", "upbeat_history", "upbeat_alert", "upbeat_token")
BIN = Path("/usr/lib/postgresql/15/bin")
SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{socket}'
port = 5432
max_connections = 200
shared_buffers = 64MB
fsync = off
jit = off
log_statement = all
log_min_duration_statement = -1
"""


class Postgres:
    """One cluster below `folder`, on a unix socket. It logs every statement and every parameter, so
    that a test finds a key that should not have reached it."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.log = folder / "postgres.log"
        self.environment: dict[str, str] = {}  # added to ours at the next start
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0

    def make(self) -> "Postgres":
        """Superuser postgres, roles of owner and programs, a migrated `template_upbeat`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self.cluster.mkdir(0o700)
        for path in (self.folder, self.cluster):
            own_by(path, "postgres")
        command = [str(BIN / "initdb"), "-D", str(self.cluster), "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run(as_user("postgres") + command, check=True, stdout=subprocess.DEVNULL)
        with open(self.cluster / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS.format(socket=self.folder) + self._settings)
        self.start()
        self.execute("create role upbeat login createdb")
        for role in PROGRAMS:
            self.execute(f"create role {role} login")
        self.execute("create database template_upbeat owner upbeat")
        self.migrate("template_upbeat")
        return self

    def start(self) -> "Postgres":
        extra = [f"{name}={value}" for name, value in self.environment.items()]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [
                    *as_user("postgres"),
                    "env",
                    *extra,
                    str(BIN / "postgres"),
                    "-D",
                    str(self.cluster),
                ],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await_true(self.is_ready, 20)
        except AssertionError:
            raise AssertionError(
                "PostgreSQL did not start: " + self.log.read_text()[-2000:]
            ) from None
        return self

    def is_ready(self) -> bool:
        try:
            with psycopg.connect(self.conninfo("postgres", "postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self, sign: int = signal.SIGINT) -> None:
        """SIGINT: fast; SIGQUIT: at once, as after a crash."""
        end(self._process, sign)
        self._process = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile no process of it runs."""
        pids = [self.pid]
        os.kill(self.pid, signal.SIGSTOP)
        pids += children_of(self.pid)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # it was about to end
                    os.kill(pid, signal.SIGCONT)

    def conninfo(self, database: str, user: str | None) -> str:
        return f"host={self.folder} port=5432 dbname={database}" + (f" user={user}" if user else "")

    def execute(self, statement: str, database: str = "postgres", user: str = "postgres") -> None:
        with psycopg.connect(self.conninfo(database, user), autocommit=True) as connection:
            connection.execute(statement)

    def value(self, statement: str, database: str = "postgres") -> Any:
        """The first column of the only row, as the superuser sees it; None where there is none."""
        with psycopg.connect(self.conninfo(database, "postgres"), autocommit=True) as connection:
            row = connection.execute(statement).fetchone()
            return row[0] if row else None

    def migrate(self, database: str) -> None:
        subprocess.run([ROOT / "sql" / "migrate", self.conninfo(database, "upbeat")], check=True)

    def new_database(self, template: str = "template_upbeat") -> "Database":
        self._count += 1
        name = f"upbeat_{os.getpid()}_{self._count}"
        self.execute(f"create database {name} template {template} owner upbeat")
        return Database(self, name)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Database:
    """One database, asked as its owner."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self.postgres, self.name = postgres, name
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def conninfo(self, user: str | None = None) -> str:
        """Without a user each program connects as its own role."""
        return self.postgres.conninfo(self.name, user)

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Of a query; [] for other statements. Each in a transaction of its own; once more where
        the connection turns out to be lost."""
        try:
            cursor = self._connect().execute(statement, parameters or None)
        except psycopg.OperationalError:
            self.close()
            cursor = self._connect().execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None:
            conninfo = self.conninfo("upbeat")
            self._connection = psycopg.connect(conninfo, autocommit=True, connect_timeout=5)
        return self._connection

    def value(self, statement: str, *parameters: Any) -> Any:
        """The first column of the only row; None where there is no row."""
        rows = self.rows(statement, *parameters)
        assert len(rows) <= 1
        return rows[0][0] if rows else None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
