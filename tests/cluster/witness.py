"""Clients of PostgreSQL that write to every machine all the time, and remember what was acknowledged."""

import threading
import time
from typing import Any

import psycopg

from machines import Cluster

EVERY_S = 0.2


class Witness:
    """`acknowledged` are (second, machine, serial). A warning that a commit may not have been replicated acknowledges
    nothing."""

    def __init__(self, cluster: Cluster) -> None:
        self.acknowledged: list[tuple[float, str, int]] = []
        self._cluster = cluster
        self._over = threading.Event()
        cluster.sql("create table if not exists witness (machine text, serial integer, primary key (machine, serial))")
        self._threads = [threading.Thread(target=self._write, args=(name,), daemon=True) for name in cluster.nodes]

    def start(self) -> "Witness":
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        self._over.set()

    def _write(self, machine: str) -> None:
        serial = 0
        connection: Any = None
        doubts: list[str] = []
        while not self._over.wait(EVERY_S):
            serial += 1
            try:
                if connection is None:
                    connection = self._cluster.connect(machine)
                    connection.add_notice_handler(lambda notice: doubts.append(notice.message_primary or ""))
                doubts.clear()
                connection.execute("insert into witness values (%s, %s)", (machine, serial))
                if not doubts:
                    self.acknowledged.append((time.monotonic(), machine, serial))
            except psycopg.Error:
                if connection is not None:
                    connection.close()
                connection = None

    def lost(self) -> int:
        """Acknowledged writes that the primary of now does not have."""
        acknowledged = {(machine, serial) for _, machine, serial in list(self.acknowledged)}
        there = set(self._cluster.sql("select machine, serial from witness"))
        return len(acknowledged - there)

    def changes(self, from_s: float) -> int:
        """How often another machine acknowledged than before, since then: more than once for each failover means that
        two machines acknowledged at the same time."""
        machines = [machine for at_s, machine, _ in sorted(self.acknowledged) if at_s >= from_s]
        return sum(one != other for one, other in zip(machines, machines[1:]))
