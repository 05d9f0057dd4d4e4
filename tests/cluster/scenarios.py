"""What is broken, and for how long. Each function breaks something of the run's cluster and says what mends it, if
anything does, and after how many seconds: PostgreSQL's failover needs no help, but a machine without power has to come
back some time."""

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from rehearsal import Rehearsal

Mend = tuple[float, Callable[[], object]] | None


def nothing(run: "Rehearsal") -> Mend:
    return None


def primary_killed(run: "Rehearsal") -> Mend:
    node = run.cluster.nodes[run.leader]
    node.kill()
    return run.long_s, node.start


def primary_frozen(run: "Rehearsal") -> Mend:
    node = run.cluster.nodes[run.leader]
    frozen = node.pids()
    node.send(signal.SIGSTOP)

    def thaw() -> None:
        for pid in frozen:
            run.signal(pid, signal.SIGCONT)

    return run.frozen_s, thaw


def switchover(run: "Rehearsal") -> Mend:
    run.aside(run.cluster.switch_over)
    return None


def etcd_lost(run: "Rehearsal") -> Mend:
    """The one that leads, where it can be told."""
    etcd = run.cluster.etcds[run.etcd_leader()]
    etcd.kill()
    return run.long_s, etcd.start


def primary_cut_off(run: "Rehearsal") -> Mend:
    wire = run.cluster.wires[run.leader]
    wire.send(signal.SIGSTOP)
    return run.frozen_s, lambda: wire.send(signal.SIGCONT)


def app_lost(run: "Rehearsal") -> Mend:
    app = run.apps["b"]
    app.kill()
    return run.long_s, lambda: run.start_app("b")


def standby_lags(run: "Rehearsal") -> Mend:
    """The one that is not waited for replays everything 10 s late."""
    name = run.cluster.standby("async")

    def delay(text: str) -> None:
        with run.cluster.connect(name, "postgres") as connection:
            connection.execute(f"alter system set recovery_min_apply_delay = '{text}'")
            connection.execute("select pg_reload_conf()")

    delay("10s")
    return run.long_s, lambda: delay("0")


def pool_restarted(run: "Rehearsal") -> Mend:
    for part in run.cluster.bouncers.values():
        part.kill()
        part.start()
    return None


@dataclass(frozen=True)
class Scenario:
    """`routes`: how a and b reach PostgreSQL; `orders`: with which host their strings begin, "leader" or "after", the
    next one; `failovers`: how many there should be; `clock_s`: of machine b, before all others; `reads`: the kind of
    the standby, sync or async, that reads go to first."""

    name: str
    breaks: Callable[["Rehearsal"], Mend]
    routes: tuple[str, str] = ("hosts", "hosts")
    orders: tuple[str, str] = ("leader", "after")
    failovers: int = 0
    clock_s: float = 0
    reads: str = "sync"
    is_short: bool = False


BY_PROXIES = ("haproxy", "pgbouncer")
ALL = [
    Scenario("nothing", nothing),
    Scenario("primary killed", primary_killed, failovers=1, is_short=True),
    Scenario("primary killed, by HAProxy and by PgBouncer", primary_killed, BY_PROXIES, failovers=1),
    Scenario("primary frozen, first and last in the string", primary_frozen, failovers=1, is_short=True),
    Scenario("primary frozen, by HAProxy and by PgBouncer", primary_frozen, BY_PROXIES, failovers=1),
    Scenario("switchover", switchover, failovers=1),
    Scenario("one etcd lost", etcd_lost),
    Scenario("primary cut off from etcd", primary_cut_off, failovers=1, is_short=True),
    Scenario("one app machine lost", app_lost),
    Scenario("a standby lags by 10 s", standby_lags, reads="async"),
    Scenario("both app machines' clocks 5 s apart", nothing, clock_s=5),
    Scenario("PgBouncer restarted on all machines", pool_restarted, routes=("pgbouncer", "pgbouncer")),
]
