"""Events that are to be told: one each 0.8 s, stored as upbeat-alert does it, delivered by both machines' outboxes."""

import json
import threading
import time
from typing import Any

import psycopg

from machines import NAMES, Cluster

HOSTS = 40
EVERY_S = 0.8  # a host has its next event after 32 s: what begins within 30 s would be one message
TABLES = """
insert into hosts (host) select 'news-' || n || '.example' from generate_series(0, {hosts} - 1) n
on conflict do nothing;
insert into pages (host, path, title) select host, '/p', 'Page' from hosts where host like 'news-%'
on conflict do nothing;
insert into event_progress (host, looked_at) select host, now() - interval '1 hour' from hosts
where host like 'news-%';
insert into channel_rules (channel_id, host, kinds) select channel_id, host, '{{rise}}' from hosts, channels
where host like 'news-%';
"""
STORE = """
select record_events(%(host)s, g.looked_at, clock_timestamp(), jsonb_build_array(%(event)s::jsonb
    || jsonb_build_object('page_id', p.page_id, 'began_at', %(at)s::timestamptz, 'peak_at', %(at)s::timestamptz)))
from pages p join event_progress g using (host) where host = %(host)s
  and not exists (select from events where host = %(host)s and began_at = %(at)s::timestamptz)
"""
EVENT = {"kind": "rise", "visitors": 410, "expected": 128, "score": 9.5, "peak": 410, "peak_expected": 128}


class Newsroom:
    """The cluster has one channel by now."""

    def __init__(self, cluster: Cluster) -> None:
        self.is_writing = False
        self._cluster = cluster
        self._storing = threading.Lock()
        self._over = threading.Event()
        cluster.sql(TABLES.format(hosts=HOSTS))
        self._thread = threading.Thread(target=self._write, daemon=True)

    def start(self) -> "Newsroom":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._over.set()

    def _write(self) -> None:
        number = 0
        while not self._over.wait(EVERY_S):
            with self._storing:
                if self.is_writing:
                    self._store_next(number)
                    number += 1

    def pause(self) -> None:
        """Returns once the last event is stored."""
        self.is_writing = False
        with self._storing:
            pass

    def _store_next(self, number: int) -> None:
        host = f"news-{number % HOSTS}.example"
        at = time.strftime("%Y-%m-%dT%H:%M:%S+00", time.gmtime())
        values: dict[str, Any] = {"host": host, "at": at, "event": json.dumps(EVENT)}
        while not self._store(values) and not self._over.wait(0.1):
            pass

    def _store(self, values: dict[str, Any]) -> bool:
        for name in NAMES:
            try:
                with self._cluster.connect(name) as connection:
                    connection.execute(STORE, values)
                    return True
            except psycopg.Error:
                continue
        return False

    def untold(self) -> int:
        """Events of the log that no message tells yet."""
        rows = self._cluster.sql(
            "select count(*) from events e where host like 'news-%' and not exists (select from outbox_events i"
            " join outbox o using (delivery_id) where i.event_id = e.event_id and o.state = 'delivered')"
        )
        return int(rows[0][0])
