"""The fetcher: what is due, one round, for ever, beside itself, and what it answers to workers."""

import hashlib
import os
import signal
import time
from typing import Callable, Iterator

import psycopg
import pytest

from servers.fetcher import Fetcher, Message, Outcome, Type, Worker
from servers.processes import allow_s, await_true
from servers.stack import KEY, Stack, page


@pytest.fixture
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """With a known host, and no fetcher but those that a test starts."""
    one = new_stack(clock=True, UPBEAT_LOG="info")
    one.simulator.script("first.example", [page("/", 1)])
    assert one.rising("first.example").status == 200
    assert one.fetchers.stop() == 0
    return one


@pytest.fixture(scope="module")
def shared(new_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """For tests that have a host of their own. Its fetchers are frozen but in make_known()."""
    one = new_stack(clock=True)
    one.fetchers.send(signal.SIGSTOP)
    yield one
    one.fetchers.send(signal.SIGCONT)


def make_known(stack: Stack, host: str) -> None:
    stack.fetchers.send(signal.SIGCONT)
    assert stack.rising(host).status == 200
    stack.fetchers.send(signal.SIGSTOP)


def add_hosts(stack: Stack, count: int) -> list[str]:
    """Known hosts of which there is no snapshot yet, with the key of the first."""
    hosts = [f"h{n}.example" for n in range(count)]
    for statement in (
        "insert into hosts (host) select unnest(%s::text[])",
        "insert into refreshes (host, is_accepted, next_due_at) select unnest(%s::text[]), true, '-infinity'",
        "insert into key_checks (host, digest, state, checked_at)"
        " select h, (select digest from apikeys), 'accepted', clock_timestamp() from unnest(%s::text[]) h",
    ):
        stack.database.rows(statement, hosts)
    return hosts


def make_older(stack: Stack, host: str, seconds: int) -> None:
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - %s * interval '1 s' where host = %s",
            seconds,
            host,
        )
    stack.database.rows("select set_next_due(%s)", host)


def is_due(stack: Stack, host: str) -> bool:
    return bool(stack.database.rows("select host from due_hosts(1000) where host = %s", host))


def between_ticks(stack: Stack, host: str) -> str:
    """A host's name by which none of its ticks, of a minute or an hour, is in the last 10 s or the next 20 s: a host is
    due at its next tick, however new its snapshot is."""
    return stack.database.value(
        "select h from (select n || '-' || %s from generate_series(1, 1000) n) names (h),"
        " unnest('{1 minute,1 hour}'::interval[]) every group by h"
        " having min(next_poll(h, clock_timestamp() - interval '10 s', every)) > clock_timestamp() + interval '20 s'"
        " limit 1",
        host,
    )


DUE = [
    # name, change of the host after a snapshot that is so many seconds old, seconds, is due
    ("fresh", "", 1, False),
    ("asked for a moment ago: every minute", "", 61, True),
    ("asked for a moment ago, half a minute old at most once", "", 2, False),
    ("nobody asked for two hours: every hour", "asked_at = now() - interval '2 hours'", 4, False),
    ("and then", "asked_at = now() - interval '2 hours'", 3601, True),
    ("its own interval wins", "poll_every = '5 s'", 6, True),
    ("its own interval wins, longer", "poll_every = '1 hour'", 4, False),
    ("nobody asked for 31 days", "asked_at = now() - interval '31 days'", 9999, False),
    ("nobody asked for 29 days", "asked_at = now() - interval '29 days'", 9999, True),
]


@pytest.mark.parametrize("name, change, age_s, due", DUE, ids=[row[0] for row in DUE])
def test_due_or_not(
    shared: Stack, host: str, name: str, change: str, age_s: int, due: bool
) -> None:
    host = between_ticks(shared, host)
    make_known(shared, host)
    make_older(shared, host, age_s)
    if change:
        shared.database.rows(f"update hosts set {change} where host = %s", host)
    assert is_due(shared, host) == due
    said = Fetcher(shared).run("--dry-run", "--host", host).stdout
    assert said.endswith(f"{int(due)} hosts are due\n")
    assert shared.simulator.counts()["hosts"][host] == 1


@pytest.mark.parametrize(
    "change",
    [
        "update key_checks set state = 'refused' where host = %s",
        "update refreshes set next_try_at = now() + interval '1 minute' where host = %s",
    ],
)
def test_not_due_without_a_key_or_in_back_off(shared: Stack, host: str, change: str) -> None:
    make_known(shared, host)
    make_older(shared, host, 7200)
    assert is_due(shared, host)
    shared.database.rows(change, host)
    shared.database.rows("select set_next_due(%s)", host)
    assert not is_due(shared, host)
    why = shared.database.value("select left_alone from host_status where host = %s", host)
    assert why == ("no key is accepted" if "refused" in change else None)


def test_a_lease_that_cannot_be_keeps_no_host_from_being_due(shared: Stack, host: str) -> None:
    """Its holder was killed, and then the clock jumped back."""
    make_known(shared, host)
    make_older(shared, host, 7200)
    for ahead, due in (("5 s", 0), ("1 hour", 1)):
        lease = "update refreshes set token = gen_random_uuid(), lease_until = now() + %s::interval where host = %s"
        shared.database.rows(lease, ahead, host)
        assert f"{due} hosts are due" in Fetcher(shared).run("--dry-run", "--host", host).stdout


def test_a_poll_interval_or_zone_that_cannot_be_is_refused(shared: Stack, host: str) -> None:
    make_known(shared, host)
    for change in (
        "poll_every = '2 hours'",
        "poll_every = '10 ms'",
        "time_zone = 'Mars/Olympus'",
        "time_zone = 'FOO5BAR'",
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            shared.database.rows(f"update hosts set {change} where host = %s", host)
    for zone in ("Europe/Berlin", "Asia/Kathmandu", "America/Argentina/Buenos_Aires", "UTC"):
        shared.database.rows("update hosts set time_zone = %s where host = %s", zone, host)


def test_a_round_asks_for_all_that_are_due_and_ends(stack: Stack) -> None:
    hosts = add_hosts(stack, 30)
    stack.simulator.fault("h7.example", "status", status=500)
    *rows, totals = Fetcher(stack).round()
    outcomes = {row["host"]: row["outcome"] for row in rows}
    assert outcomes.pop("h7.example") == "failed" and set(outcomes.values()) == {"stored"}
    assert (totals["due"], totals["stored"], totals["failed"]) == (30, 29, 1)
    stored = stack.database.rows("select host from snapshots where host like 'h%%' order by 1")
    assert len(stored) == 29
    failed = "select last_error, failures from host_status where host = 'h7.example'"
    assert stack.database.rows(failed) == [("status 500", 1)]
    assert set(hosts) - set(outcomes) == {"h7.example"}


def test_its_words_name_hosts_that_failed_and_with_v_all(stack: Stack) -> None:
    add_hosts(stack, 2)
    stack.simulator.fault("h1.example", "html_200")
    said = Fetcher(stack).run("-v").stdout.splitlines()
    assert any(line.startswith("h0.example stored ") for line in said)
    assert any(line.startswith("h1.example failed ") and "of no use" in line for line in said)
    assert said[-1].startswith("2 hosts were due: 1 stored, 0 skipped, 1 failed, in ")
    add_one = Fetcher(stack).run("--host", "h0.example")
    assert add_one.returncode == 0 and "0 hosts were due" in add_one.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--frobnicate"], "no such option"),
        (["--host"], "needs a value"),
        (["--host", "https://x"], "scheme"),
        (["--loop", "--host", "a.example"], "not with --loop"),
        (["--loop", "--once"], "not with --loop"),
        (["more"], "options only"),
    ],
)
def test_bad_options_are_refused(shared: Stack, arguments: list[str], said: str) -> None:
    ended = Fetcher(shared).run(*arguments)
    assert ended.returncode == 2 and said in ended.stderr


def test_it_can_do_nothing_without_a_database(shared: Stack) -> None:
    ended = Fetcher(shared, UPBEAT_DATABASE="host=/nowhere").run()
    assert ended.returncode == 1 and "no connection" in ended.stderr
    assert Fetcher(shared, UPBEAT_TTL_MS="x").run().returncode == 2


def test_two_fetchers_at_once_ask_once(stack: Stack) -> None:
    hosts = add_hosts(stack, 40)
    stack.simulator.fault("*", "slow", latency_ms=300)
    two = [Fetcher(stack).start(), Fetcher(stack).start()]
    counts = "select count(*) from snapshots where host like 'h%%'"
    await_true(lambda: stack.database.value(counts) == 40, 20, "all of them")
    assert [one.wait() for one in two] == [0, 0]
    asked = stack.simulator.counts()["hosts"]
    assert {asked[host] for host in hosts} == {1}


@pytest.mark.unhurried
@pytest.mark.once
def test_killed_in_the_middle_of_a_round_it_loses_nothing(stack: Stack) -> None:
    hosts = add_hosts(stack, 30)
    stack.simulator.fault("*", "slow", latency_ms=800)
    first = Fetcher(stack, UPBEAT_CONNECTIONS="8").start()
    counts = "select count(distinct host) from snapshots where host like 'h%%'"
    await_true(lambda: stack.database.value(counts) >= 8, 20, "some of them")
    first.stop(signal.SIGKILL)
    stack.simulator.end_faults()

    def all_there() -> bool:
        Fetcher(stack).round()
        return bool(stack.database.value(counts) == len(hosts))

    await_true(all_there, 15, "the others, when the leases of the killed one run out")


@pytest.mark.once
def test_the_loop_keeps_a_host_fresh_that_nobody_asks_for(stack: Stack) -> None:
    stack.database.rows("update hosts set poll_every = '4 s'")
    one = Fetcher(stack).start("--loop")
    count = "select count(*) from snapshots"
    await_true(lambda: stack.database.value(count) >= 3, 20, "three snapshots")
    assert one.stop() == 0


def test_told_to_stop_it_ends_what_is_under_way(stack: Stack) -> None:
    add_hosts(stack, 3)
    stack.simulator.fault("*", "slow", latency_ms=1500)
    one = Fetcher(stack).start("--loop")
    stack.simulator.await_counts(lambda counts: counts["in_flight"] == 3)
    assert one.stop() == 0
    assert stack.database.value("select count(*) from snapshots where host like 'h%%'") == 3
    assert stack.database.value("select count(*) from refreshes where token is not null") == 0


@pytest.mark.unhurried
def test_the_database_away_and_back(stack: Stack) -> None:
    """It goes on by itself when its connections are cut."""
    stack.database.rows("update hosts set poll_every = '4 s'")
    one = Fetcher(stack).start("--loop")
    count = "select count(*) from snapshots"
    await_true(lambda: stack.database.value(count) >= 2, 20, "a snapshot")
    postgres = stack.database.postgres
    cut = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename like 'upbeat\\_%'"
        f" and datname = '{stack.database.name}'"
    )
    assert postgres.value(cut) > 0
    seen = stack.database.value(count)
    await_true(lambda: stack.database.value(count) > seen, 20, "another")
    assert one.stop() == 0


@pytest.mark.unhurried
@pytest.mark.once
def test_workers_and_fetcher_share_one_budget(new_stack: Callable[..., Stack]) -> None:
    """60 a minute: six seconds' worth at once, then one every 1.1 s, whoever asks."""
    stack = new_stack(
        UPBEAT_TTL_MS="100",
        UPBEAT_STALE_MS="100",
        UPBEAT_RATE_PER_MINUTE="60",
        clock=True,
    )
    host = "budget.example"
    assert stack.rising(host).status == 200
    stack.database.rows("update hosts set poll_every = '100 ms'")
    one = Fetcher(stack).start("--loop")
    from_s = time.monotonic()
    while time.monotonic() < from_s + 10:
        assert stack.rising(host).status == 200
        time.sleep(0.02)
    assert one.stop() == 0
    asked = stack.simulator.counts()["hosts"][host]
    assert 8 <= asked <= 6 + (time.monotonic() - from_s) / 1.1 + 2, asked


# What workers ask over the socket


@pytest.fixture(scope="module")
def served(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(fetchers=0)


@pytest.fixture(scope="module")
def fetcher(served: Stack) -> Iterator[Fetcher]:
    one = Fetcher(served).serve()
    yield one
    assert one.stop() == 0


def test_an_ask_is_answered_when_the_row_is_stored(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        worker.ask(host, check=True)
        done = worker.done()
        assert (done.host, done.outcome, done.check, done.key) == (host, Outcome.STORED, True, "")
        assert served.database.value("select count(*) from snapshots where host = %s", host) == 1
        worker.ask(host)
        assert worker.done().outcome == Outcome.STORED
    assert served.simulator.counts()["hosts"][host] == 1
    assert served.database.value("select count(*) from apikeys where sealed is not null") == 1


def test_all_who_wait_are_answered_from_one_request(served: Stack, fetcher: Fetcher, host: str) -> None:
    """Of many connections, to both fetchers."""
    served.simulator.fault(host, "slow", latency_ms=400)
    workers = [Worker(fetcher.socket) for _ in range(20)]
    for worker in workers:
        for _ in range(20):
            worker.ask(host, check=True)
    for worker in workers:
        assert {worker.done().outcome for _ in range(20)} == {Outcome.STORED}
        worker.close()
    assert served.simulator.counts()["hosts"][host] == 1


def test_who_is_owed_an_answer_hears_that_the_fetcher_lives(served: Stack, fetcher: Fetcher, host: str) -> None:
    served.simulator.fault(host, "slow", latency_ms=1800)
    with Worker(fetcher.socket, within_s=allow_s(0.9)) as worker:
        worker.ask(host, check=True)
        assert worker.done().outcome == Outcome.STORED
        assert worker.alive >= 4


def test_a_refused_key_is_told_to_those_who_asked_with_it(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        worker.ask(host, check=True)
        assert worker.done().outcome == Outcome.STORED
        make_older(served, host, 10)
        served.simulator.fault(host, "slow", latency_ms=300)
        worker.ask(host, key="leak-me-not-bad1", check=True)
        worker.ask(host)  # joins the check, and then has a refresh of its own
        outcomes = {(done.check, done.outcome) for done in (worker.done(), worker.done())}
        assert outcomes == {(True, Outcome.KEY_REFUSED), (False, Outcome.STORED)}
        assert served.database.value("select count(*) from snapshots where host = %s", host) == 2


TROUBLE = [
    ("close", Outcome.UNREACHABLE),
    ("hang", Outcome.TIMED_OUT),
    ("status", Outcome.USELESS),
    ("html_200", Outcome.USELESS),
    ("retry_after", Outcome.RATE_LIMITED),
]


@pytest.mark.parametrize("fault, outcome", TROUBLE, ids=[row[0] for row in TROUBLE])
def test_what_went_wrong_is_told(
    served: Stack, fetcher: Fetcher, host: str, fault: str, outcome: Outcome
) -> None:
    served.simulator.fault(host, fault)
    with Worker(fetcher.socket) as worker:
        worker.ask(host, check=True)
        done = worker.done()
        assert done.outcome == outcome and done.wait_ms > 1000
        worker.ask(host, check=True)
        again = worker.done()
        assert again.outcome == Outcome.BACKOFF and 0 < again.wait_ms <= done.wait_ms
    # libcurl asks once more where a kept connection is closed before a byte has come.
    assert served.simulator.counts()["hosts"].get(host, 0) <= 1 + (fault == "close")


def test_no_key_no_request(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        worker.ask(host)
        assert worker.done().outcome == Outcome.NO_KEY


def test_too_many_guesses(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        for number in range(12):
            worker.ask(host, key=f"leak-me-not-guess{number}", check=True)
        outcomes = [worker.done().outcome for _ in range(12)]
        assert outcomes.count(Outcome.KEY_REFUSED) == 10 and outcomes.count(Outcome.BAD_KEYS) == 2


def test_that_a_host_was_asked_for_is_noted(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        worker.ask(host, check=True)
        worker.done()
        served.database.rows("update hosts set asked_at = now() - interval '2 hours' where host = %s", host)
        worker.asked(host)
        asked = "select asked_at > now() - interval '1 minute' from hosts where host = %s"
        await_true(lambda: served.database.value(asked, host), 5, "the time of the ask")


def test_another_version_or_no_message_is_the_end(served: Stack, fetcher: Fetcher, host: str) -> None:
    wrong = [
        Message(Type.ASK, host, KEY).encode(version=3),
        b"GET / HTTP/1.1\r\n\r\n",
        Message(Type.DONE, host).encode(),
        Message(Type.ASK, "not a host", KEY).encode(),
    ]
    for text in wrong:
        with Worker(fetcher.socket) as worker:
            worker.send(text)
            assert worker.receive() is None
    with Worker(fetcher.socket) as worker:  # a message may come in pieces
        text = Message(Type.ASK, host, KEY, True, hashlib.sha256(KEY.encode()).digest()).encode()
        worker.send(text[:1])
        worker.send(text[1:300])
        worker.send(text[300:])
        assert worker.done().outcome == Outcome.STORED


@pytest.mark.unhurried
def test_the_lease_of_another_process_is_waited_for(served: Stack, fetcher: Fetcher, host: str) -> None:
    with Worker(fetcher.socket) as worker:
        worker.ask(host, check=True)
        worker.done()
        make_older(served, host, 10)
        lease = (
            "update refreshes set token = gen_random_uuid(), lease_until = now() + interval '700 ms'"
            " where host = %s"
        )
        from_s = time.monotonic()
        served.database.rows(lease, host)
        worker.ask(host)
        assert worker.done().outcome == Outcome.STORED
        assert 0.7 < time.monotonic() - from_s < allow_s(2)
        make_older(served, host, 10)
        served.database.rows(lease.replace("700 ms", "6 s"), host)
        from_s = time.monotonic()
        worker.ask(host)
        assert worker.done().outcome == Outcome.TIMED_OUT
        assert 4 < time.monotonic() - from_s < allow_s(5.5)
    assert served.simulator.counts()["hosts"][host] == 2


@pytest.mark.once
def test_one_fetcher_killed_or_frozen_is_made_up_for_by_the_other(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(fetchers=0)
    both = Fetcher(stack).serve()
    host = "a.example"
    stack.simulator.fault(host, "slow", latency_ms=1000)
    with Worker(both.socket) as worker:
        worker.ask(host, check=True)
        stack.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        for pid in both.fetchers():
            os.kill(pid, signal.SIGKILL)
        assert worker.receive() in (None, Message(Type.ALIVE))
    from_s = time.monotonic()
    outcomes = [Outcome.TIMED_OUT]
    while outcomes[-1] != Outcome.STORED:
        with Worker(both.socket) as worker:
            worker.ask(host, check=True)
            outcomes.append(worker.done().outcome)
    assert time.monotonic() - from_s < allow_s(8), outcomes
    frozen = both.fetchers()[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        for number in range(4):
            with Worker(both.socket) as worker:
                worker.ask(f"b{number}.example", check=True)
                assert worker.done().outcome == Outcome.STORED
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert both.stop() == 0


def test_told_to_stop_the_fetcher_answers_whom_it_owes(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(fetchers=0)
    one = Fetcher(stack).serve(1)
    stack.simulator.fault("*", "slow", latency_ms=800)
    with Worker(one.socket) as worker, Worker(one.socket) as idle:
        worker.ask("a.example", check=True)
        stack.simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        os.kill(one.fetchers()[0], signal.SIGTERM)
        assert idle.receive() is None
        assert worker.done().outcome == Outcome.STORED
        assert worker.receive() is None
    await_true(lambda: one.text().count("serving workers") == 2, 10, "its successor")
    assert one.stop() == 0


def test_without_a_database_asks_are_answered_at_once(served: Stack) -> None:
    one = Fetcher(served, UPBEAT_DATABASE="host=/nowhere")
    one.socket = served.folder / "other.sock"
    one.serve(1)
    with Worker(one.socket, within_s=allow_s(2)) as worker:
        for _ in range(3):
            worker.ask("a.example", check=True)
            assert worker.done().outcome == Outcome.DATABASE
    assert one.stop() == 0
