"""The whole service on free ports: simulator, database, fetchers, both pools, nginx; and one way to ask it."""

import contextlib
import csv
import http.client
import io
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .burst import Reply, burst, request
from .fetchers import FETCHERS, Fetchers
from .nginx import Nginx
from .pool import Pool
from .postgres import Database
from .processes import await_true
from .simulator import Simulator

KEY_MARK = "leak-me-not"  # in every key of the tests, so that one search finds any of them
KEY = f"{KEY_MARK}-0001"
PATH = "/api/v1.0/increasingconcurrents"
TOKEN_MARK = re.compile(rb"ubt_[0-9A-Za-z]{16}")  # most of a view token
REPORTS = re.compile(r"Sanitizer|runtime error:|Assertion|stack smashing|double free|corrupted")
ASK_WITHIN_S = 15.0
REPORT_WORKERS = 2
# In an hour, however much older a test makes a row.
NEVER_DUE = """
create or replace function next_poll(p_host text, p_taken_at timestamptz, p_every interval) returns timestamptz
language sql stable as $$ select clock_timestamp() + interval '1 hour' $$
"""


class Answer:
    """A whole answer of the service."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.body = answer.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def csv(self) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.body.decode(), newline="")))

    @property
    def paths(self) -> list[str]:
        return [row["path"] for row in self.json]

    def __repr__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:300]!r}"


class Stack:
    """Starts and stops in the order of dependence. `settings` are those of all programs, `simulator` those of the
    simulator. Tests that use one stack together take hosts of their own.

    `pool` is the pool "list", `reports` the other one. `fetchers`: how many there are; with 0 nothing but what a
    test starts asks Chartbeat. `clock`: they ask by the clock too, as they do for real, and not only when told.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        simulator: dict[str, Any] | None = None,
        address: str = "127.0.0.1",
        cached: bool = False,
        listen: str = "",
        fetchers: int = FETCHERS,
        clock: bool = False,
        **settings: str,
    ) -> None:
        self.folder, self.database, self.address = folder, database, address
        self._nginx = {"cached": cached, "listen": listen}
        self._fetchers, self._clock = fetchers, clock
        given = {"source": "script", "latency_ms": 0, "key": f"{KEY}=*"} | (simulator or {})
        self.simulator = Simulator(**given)
        self.logs: list[Path] = []  # of what a test starts beside the pool
        secret = folder / "secret"
        secret.write_text("a secret of the tests, long enough for it")
        secret.chmod(0o600)
        self._settings = {
            "UPBEAT_DATABASE": database.conninfo(),
            "UPBEAT_SECRET_FILE": str(secret),
            "UPBEAT_LOG": "debug",
        } | settings

    def start(self) -> "Stack":
        """Leaves nothing running where one of them does not start."""
        with contextlib.ExitStack() as undo:
            self._start_parts(undo)
            undo.pop_all()
        return self

    def _start_parts(self, undo: contextlib.ExitStack) -> None:
        undo.callback(self.simulator.stop)
        self.simulator.start()
        self._settings.setdefault(
            "CHARTBEAT_URL", self.simulator.upstream_url + "/live/toppages/v3/"
        )
        if not self._clock:
            self.database.rows(NEVER_DUE)
        self.fetchers = Fetchers(self.folder, self._settings, self._fetchers)
        self.pool = Pool(self.folder, self._settings)
        self.reports = Pool(self.folder, self._settings, "reports", REPORT_WORKERS)
        self.nginx = Nginx(self.folder, self.pool.socket, self.reports.socket, self.address, **self._nginx)
        for part in (self.fetchers, self.pool, self.reports, self.nginx):
            undo.callback(part.stop)
            if part is not self.fetchers or self._fetchers:
                part.start()
        ready = "/readyz" if self._fetchers else "/healthz"
        await_true(lambda: self.ask(ready).status == 200, 10, "the whole service")

    def stop(self) -> None:
        """Fails on what a passed test must not leave behind."""
        self.nginx.stop()
        statuses = {part.log: part.stop() for part in (self.pool, self.reports, self.fetchers)}
        self.simulator.stop()
        self.database.close()
        self.check_logs()
        for log, status in statuses.items():
            assert not status, f"{log} ended with {status}: {log.read_text(errors='replace')[-2000:]}"

    def check_logs(self) -> None:
        worker = self.pool.text() + self.reports.text() + self.fetchers.text()
        others = "".join(log.read_text(errors="replace") for log in self.logs if log.exists())
        reports = [line for line in (worker + others).splitlines() if REPORTS.search(line)]
        assert not reports, "\n".join(reports) + worker[-4000:]
        logs = [*self.nginx.logs, *self.logs, self.pool.log, self.reports.log, self.fetchers.log]
        logs.append(self.database.postgres.log)
        texts = {str(log): log.read_bytes() for log in logs if log.exists()}
        leaks = [name for name, text in texts.items() if KEY_MARK.encode() in text or TOKEN_MARK.search(text)]
        assert not leaks, f"a key or view token stands in {leaks}"
        assert KEY_MARK not in self.simulator.log() and not TOKEN_MARK.search(self.simulator.log().encode())

    def ask(
        self,
        path: str = PATH,
        method: str = "GET",
        headers: dict[str, str] | None = None,
        query: str | None = None,
        **parameters: Any,
    ) -> Answer:
        """One request on a connection of its own; `query` as it is, or `parameters` encoded."""
        words = query if query is not None else urlencode(parameters)
        address = "127.0.0.1" if self.address == "0.0.0.0" else self.address
        connection = http.client.HTTPConnection(address, self.nginx.port, timeout=ASK_WITHIN_S)
        try:
            connection.request(method, path + ("?" + words if words else ""), headers=headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def rising(self, host: str, key: str = KEY, **more: Any) -> Answer:
        """The list of a host; `headers` are added to the key's."""
        headers = {"X-CB-AK": key} | more.pop("headers", {})
        return self.ask(headers=headers, host=host, **more)

    def waiting(self) -> int:
        """Requests that wait for a refresh, by /metrics."""
        found = re.search(r"^upbeat_waiting_requests (\d+)$", self.ask("/metrics").body.decode(), re.M)
        assert found
        return int(found[1])

    def crowd(self, targets: list[str], key: str = KEY) -> list[Reply]:
        """The lists that these hosts, or `HOST&limit=3` and the like, name: all asked for at the same moment."""
        return burst(self.nginx.port, [request(f"{PATH}?host={target}", key) for target in targets])

    def outdate(self, host: str) -> Any:
        """Whatever the TTL, the host's row is too old to be answered with while it can be refreshed; and not so old
        that it may not be served where it can't. Returns when the row was taken by now."""
        ages = "update cache set taken_at = clock_timestamp() - interval '70 s' where host = %s returning taken_at"
        return self.database.value(ages, host)

    def turn(self, host: str, pages: list[dict[str, Any]] | None = None, **script: Any) -> Answer:
        """Scripts the upstream's next list and asks until it has come: the answer with it. A stack whose rows last for
        a minute takes that list once. One with a short TTL may take it twice on a busy machine, where a row is too old
        before it is answered; and then nothing has risen."""
        before = self.database.value("select taken_at from cache where host = %s", host)
        self.simulator.script(host, pages, **script)
        asked = self.database.value("select requests from refreshes where host = %s", host) or 0
        if self._settings.get("UPBEAT_TTL_MS") == "60000":
            before = self.outdate(host)

        def newest() -> Answer | None:
            answer = self.rising(host)
            assert answer.status == 200, answer
            # A refresh that somebody else had asked for before may bring the list of before.
            over, after = self.database.rows(
                "select requests - (token is not null)::integer, taken_at from refreshes left join cache using (host)"
                " where host = %s",
                host,
            )[0]
            is_new = after != before and over > asked and "Warning" not in answer.headers
            return answer if is_new else None

        return await_true(newest, 5, f"a new snapshot of {host}")


def page(path: str, visitors: Any, title: str | None = None, **more: Any) -> dict[str, Any]:
    """A row of a script."""
    return {"path": path, "title": title or f"Page {path}", "visitors": visitors, **more}
