"""Reads on standbys (UPBEAT_DATABASE_READ): what a standby is asked for, and that nobody ever hears less than the
primary alone would say."""

import os
import re
import signal
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from servers.pair import Frozen, both, kill, make_pair, promote
from servers.pgbouncer import PgBouncer
from servers.postgres import Postgres
from servers.processes import allow_s, await_true, program
from servers.stack import KEY, KEY_MARK, PATH, Answer, Stack, page
from servers.tokens import add_token, run_token

REPORTS = {
    "trends": "upbeat_window",
    "history": "upbeat_history",
    "hours": "upbeat_hours",
    "profile": "upbeat_profile",
    "usual": "upbeat_usual",
    "events": "upbeat_events",
    "pages": "upbeat_pages",
}
LOOKUPS = ("upbeat_read", "upbeat_known")
OUT_OF_REACH_MS = 60000  # a TTL in which nothing is refreshed


class Twins:
    """A primary, an asynchronous standby, and how often each was asked."""

    def __init__(self, place: Path) -> None:
        self.primary, self.standby = make_pair(place)
        self.primary.execute("alter system set synchronous_standby_names = ''")
        self.primary.execute("select pg_reload_conf()")

    def stop(self) -> None:
        for postgres in (self.primary, self.standby):
            postgres.stop(signal.SIGQUIT)

    def replays(self) -> bool:
        sent = self.primary.value("select pg_current_wal_lsn()")
        return self.standby.value(f"select pg_last_wal_replay_lsn() >= '{sent}'")

    def catch_up(self) -> None:
        await_true(self.replays, 10, "the standby")

    def pause(self) -> None:
        """Nothing is replayed from now on."""
        self.standby.execute("select pg_wal_replay_pause()")
        state = "select pg_get_wal_replay_pause_state()"
        await_true(lambda: self.standby.value(state) == "paused", 5, "a standby that waits")

    def resume(self) -> None:
        self.standby.execute("select pg_wal_replay_resume()")
        self.catch_up()


def asked(postgres: Postgres) -> Counter[str]:
    """The statements of the programs that this server has run, by name."""
    return Counter(re.findall(r"execute (upbeat_\w+):", postgres.log.read_text(errors="replace")))


@pytest.fixture(scope="module")
def twins(folder: Path) -> Iterator[Twins]:
    one = Twins(Path(tempfile.mkdtemp(prefix="twins", dir=folder)))
    yield one
    one.stop()


@pytest.fixture
def own_twins(folder: Path) -> Iterator[Twins]:
    """To be hurt."""
    one = Twins(Path(tempfile.mkdtemp(prefix="twins", dir=folder)))
    yield one
    one.stop()


def start(new_stack: Callable[..., Stack], twins: Twins, **settings: Any) -> Stack:
    database = twins.primary.new_database()
    twins.catch_up()
    given = {"UPBEAT_DATABASE_READ": twins.standby.conninfo(database.name, None)} | settings
    return new_stack(database=database, **given)


def begin(stack: Stack, twins: Twins, host: str, visitors: int = 5) -> Answer:
    """The standby has the host's first list, and the workers are connected to it."""
    stack.simulator.script(host, [page("/", 1), page("/a", visitors)])
    answer = stack.rising(host)
    assert answer.status == 200, answer
    twins.catch_up()
    return answer


def report(stack: Stack, what: str, host: str, key: str = KEY, **more: Any) -> Answer:
    headers = {"X-CB-AK": key} | more.pop("headers", {})
    return stack.ask(f"/api/v1.0/{what}", headers=headers, host=host, **more)


def revoke_last(stack: Stack) -> None:
    """The view token that was made last."""
    token_id = stack.database.value("select max(token_id) from access_tokens")
    assert run_token(stack, "revoke", str(token_id)).returncode == 0


def outcomes(stack: Stack) -> Counter[str]:
    text = stack.ask("/metrics").body.decode()
    found = re.findall(r'^upbeat_standby_reads_total\{outcome="(\w+)"\} (\d+)', text, re.MULTILINE)
    return Counter({name: int(count) for name, count in found})


def await_served(stack: Stack, host: str, path: str = "/api/v1.0/usual") -> None:
    before = outcomes(stack)["served"]

    def is_served() -> bool:
        assert stack.ask(path, headers={"X-CB-AK": KEY}, host=host).status == 200
        return outcomes(stack)["served"] > before

    await_true(is_served, 20, "a read on the standby")


def undisturbed(stack: Stack, twins: Twins, look: Callable[[], None]) -> tuple[Counter[str], Counter[str]]:
    """What look() has asked of the standby and of the primary, at a time when no read was too slow for the standby to
    be asked further: that is what it comes to on a busy machine."""

    def asked_of_both() -> tuple[Counter[str], Counter[str]] | None:
        before, disturbed = (asked(twins.standby), asked(twins.primary)), disturbances(stack)
        look()
        after = asked(twins.standby), asked(twins.primary)
        return (after[0] - before[0], after[1] - before[1]) if disturbances(stack) == disturbed else None

    return await_true(asked_of_both, 20, "reads that the standby is well for")


def disturbances(stack: Stack) -> int:
    found = outcomes(stack)
    return found["resting"] + found["failed"]


@pytest.fixture(scope="module")
def calm(new_stack: Callable[..., Stack], twins: Twins) -> Stack:
    """Rows stay as they are."""
    far = str(OUT_OF_REACH_MS)
    return start(new_stack, twins, UPBEAT_TTL_MS=far, UPBEAT_STALE_MS=far)


def test_reports_and_look_ups_are_made_on_the_standby(calm: Stack, twins: Twins, host: str) -> None:
    begin(calm, twins, host)

    def look() -> None:
        for what in REPORTS:
            assert report(calm, what, host).status == 200
        for _ in range(4):
            assert calm.rising(host).status == 200

    on_standby, on_primary = undisturbed(calm, twins, look)
    for what, statement in REPORTS.items():
        assert (what, on_standby[statement], on_primary[statement]) == (what, 1, 0)
    assert sum(on_standby[name] for name in LOOKUPS) == len(REPORTS) + 4
    assert sum(on_primary[name] for name in LOOKUPS) == 0
    assert on_standby["upbeat_begin"] == on_standby["upbeat_commit"] >= len(REPORTS)


def test_what_the_primary_alone_is_asked_for(calm: Stack, twins: Twins, host: str) -> None:
    begin(calm, twins, host)
    token = add_token(calm, host, "--may", "board")
    twins.catch_up()

    def look() -> None:
        assert report(calm, "history", host, token).status == 200
        assert calm.ask("/api/v1.0/hosts", headers={"X-CB-AK": token}).status == 200

    on_standby, on_primary = undisturbed(calm, twins, look)
    assert (on_standby["upbeat_history"], on_primary["upbeat_history"]) == (1, 0)
    assert (on_standby["upbeat_read_token"], on_primary["upbeat_read_token"]) == (0, 2)
    assert (on_standby["upbeat_hosts"], on_primary["upbeat_hosts"]) == (0, 1)


def newest_of(stack: Stack, host: str) -> int:
    """When the primary's newest snapshot was taken, in microseconds."""
    newest = "select (extract(epoch from taken_at) * 1000000)::bigint from cache where host = %s"
    return stack.database.value(newest, host)


def tag_of(taken_at: int) -> str:
    return f'"{taken_at:x}-0123456789abcdef"'


def tag_time(answer: Answer) -> int:
    return int(answer.headers["ETag"].split('"')[1].split("-")[0], 16)


def test_both_answer_the_same(calm: Stack, twins: Twins, host: str) -> None:
    """A report, and a question that is bad in the database's eyes. The primary has it all once the standby lacks a
    snapshot that the client has seen."""
    begin(calm, twins, host)
    on_standby: dict[str, Answer] = {}

    def look() -> None:
        on_standby.update({what: report(calm, what, host, limit=5) for what in REPORTS})
        assert report(calm, "history", host, tz="No/Zone").status == 400

    of_primary = undisturbed(calm, twins, look)[1]
    assert not {"upbeat_dates", *REPORTS.values()} & set(of_primary)
    before = asked(twins.primary)
    twins.pause()
    try:
        calm.database.rows("update cache set taken_at = taken_at + interval '1 us' where host = %s", host)
        seen = {"If-None-Match": tag_of(newest_of(calm, host))}
        on_primary = {what: report(calm, what, host, limit=5, headers=seen) for what in REPORTS}
        assert report(calm, "history", host, tz="No/Zone", headers=seen).status == 400
        assert {"upbeat_dates", *REPORTS.values()} <= set(asked(twins.primary) - before)
    finally:
        twins.resume()
    for what, answer in on_primary.items():
        assert (answer.status, sorted(answer.json)) == (200, sorted(on_standby[what].json)), what


def test_nothing_older_than_the_client_has_seen(calm: Stack, twins: Twins, host: str) -> None:
    """Here the rows of two servers lie further apart than the clocks of two that agree can make them."""
    old = begin(calm, twins, host)
    await_served(calm, host, PATH)
    twins.pause()
    try:
        calm.database.rows(
            "update cache set taken_at = taken_at + interval '1 s', previous_at = taken_at, previous_pages = pages,"
            " pages = replace(pages, '5', '7') where host = %s",
            host,
        )
        newest = newest_of(calm, host)
        tag = tag_of(newest)
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(newest / 1e6))
        assert tag_time(calm.rising(host, limit=3)) == tag_time(old)
        for seen in ({"If-None-Match": tag}, {"If-None-Match": f'"x", W/{tag}'}, {"If-Modified-Since": stamp}):
            for _ in range(4):
                answer = calm.rising(host, headers=seen, limit=4)
                assert tag_time(answer) == newest, (seen, answer)
            assert tag_time(report(calm, "history", host, headers=seen)) == newest
    finally:
        twins.resume()


def test_a_standby_that_is_behind(
    new_stack: Callable[..., Stack], twins: Twins, measured: Callable[[str], None]
) -> None:
    """Nothing goes back in time, through nginx and past it, for those who say what they have seen and those who do
    not; and after a while the standby is not asked any more."""
    host = "behind.example"
    stack = start(new_stack, twins, cached=True, clock=True, UPBEAT_TTL_MS="1000")
    begin(stack, twins, host)
    await_served(stack, host)
    twins.pause()
    faults: list[str] = []
    until_s = time.monotonic() + 4

    def look(path: str) -> tuple[int, float]:
        newest, count, slowest_s = 0, 0, 0.0
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            answer = stack.ask(path, headers={"X-CB-AK": KEY}, host=host)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            if answer.status != 200:
                faults.append(f"{path}: {answer}")
            elif tag_time(answer) < newest and "Warning" not in answer.headers:
                faults.append(f"{path}: {newest - tag_time(answer)} us back")
            else:
                newest, count = max(newest, tag_time(answer)), count + 1
        return newest, slowest_s

    try:
        with ThreadPoolExecutor(4) as pool:
            looks = list(pool.map(look, [PATH, PATH, "/api/v1.0/usual", "/api/v1.0/trends"]))
        last = newest_of(stack, host)
        counted = outcomes(stack)
    finally:
        twins.resume()
    assert not faults, faults[:3]
    assert all(newest > last - 3_000_000 for newest, _ in looks), "the newest of the primary"
    assert counted["resting"] > counted["old"], counted
    slowest_s = max(slowest_s for _, slowest_s in looks)
    measured(f"no answer goes back; slowest {slowest_s:.2f} s; {dict(counted)}")
    await_served(stack, host)


def test_a_standby_that_freezes(
    calm: Stack, twins: Twins, host: str, measured: Callable[[str], None]
) -> None:
    """Each worker waits for it once."""
    begin(calm, twins, host)
    await_served(calm, host)
    for path in (PATH, "/api/v1.0/usual"):
        for _ in range(20):  # so that each worker has its connection
            assert calm.ask(path, headers={"X-CB-AK": KEY}, host=host).status == 200
    took: list[float] = []
    before = outcomes(calm)
    with Frozen(twins.standby):
        for n in range(200):
            path = PATH if n % 2 else "/api/v1.0/usual"
            began_s = time.monotonic()
            answer = calm.ask(path, headers={"X-CB-AK": KEY}, host=host, limit=n + 1)
            took.append(time.monotonic() - began_s)
            assert answer.status == 200 and "Warning" not in answer.headers, answer
            time.sleep(0.01)
    failed = (outcomes(calm) - before)["failed"]
    measured(f"200, slowest {max(took):.2f} s; {failed} of 200 asked it in vain")
    assert max(took) < allow_s(0.4)
    assert 1 <= failed <= 4, "once a worker"
    await_served(calm, host)


def test_a_standby_that_is_killed(calm: Stack, twins: Twins, host: str) -> None:
    begin(calm, twins, host)
    await_served(calm, host)
    kill(twins.standby)
    for n in range(20):
        answer = calm.rising(host, limit=n + 1)
        assert answer.status == 200 and "Warning" not in answer.headers
        assert report(calm, "history", host, limit=n + 1).status == 200
    twins.standby.stop()
    twins.standby.start()
    await_served(calm, host)


def test_a_standby_that_refuses(calm: Stack, twins: Twins, host: str) -> None:
    """Queries of over a millisecond, as a conflict with what it replays would have it do."""
    begin(calm, twins, host)
    await_served(calm, host)
    before = outcomes(calm)
    conf = twins.standby.cluster / "postgresql.auto.conf"
    text = conf.read_text()
    conf.write_text(text + "statement_timeout = 1\n")
    os.kill(twins.standby.pid, signal.SIGHUP)
    try:
        for n in range(3):
            assert {report(calm, what, host, limit=n + 1).status for what in REPORTS} == {200}
            assert calm.rising(host, limit=n + 1).status == 200

        def has_refused() -> bool:  # once it has heard of its settings
            assert {report(calm, what, host).status for what in REPORTS} == {200}
            return (outcomes(calm) - before)["failed"] >= 1

        await_true(has_refused, 10, "a read that it refused")
    finally:
        conf.write_text(text)
        os.kill(twins.standby.pid, signal.SIGHUP)
    await_served(calm, host)


@pytest.mark.once
@pytest.mark.unhurried
def test_a_standby_that_comes_later(new_stack: Callable[..., Stack], own_twins: Twins) -> None:
    """Until then the primary serves the string that prefers standbys; and after a failover the standby is another."""
    twins, far, host = own_twins, str(OUT_OF_REACH_MS), "later.example"
    database = twins.primary.new_database()
    twins.catch_up()
    twins.standby.stop()
    reads = both(twins.primary, twins.standby, database.name, "prefer-standby")
    stack = new_stack(database=database, UPBEAT_DATABASE_READ=reads, UPBEAT_TTL_MS=far, UPBEAT_STALE_MS=far)
    stack.simulator.script(host, [page("/", 1)])
    assert stack.rising(host).status == 200
    await_served(stack, host)
    twins.standby.start()
    twins.catch_up()
    before = asked(twins.standby)["upbeat_usual"]

    def is_used() -> bool:
        assert report(stack, "usual", host).status == 200
        return asked(twins.standby)["upbeat_usual"] > before

    await_true(is_used, 40, "reads on the standby, which is looked for every 15 s")


def test_a_key_and_a_token_lose_their_rights_on_the_primary_alone(
    new_stack: Callable[..., Stack], twins: Twins
) -> None:
    """A token at once, and a key as soon as its row is as old as a refresh may find it."""
    host, ttl_s = "revoked.example", 3.0
    stack = start(new_stack, twins, UPBEAT_TTL_MS=str(int(ttl_s * 1000)))
    begin(stack, twins, host)
    token = add_token(stack, host, "--may", "all")
    assert report(stack, "usual", host, token).status == 200
    await_served(stack, host)
    assert stack.rising(host).status == 200
    twins.catch_up()
    twins.pause()
    try:
        revoke_last(stack)
        assert {stack.rising(host, token).status for _ in range(4)} == {401}
        assert report(stack, "history", host, token).status == 401
        stack.database.rows(
            "update key_checks set state = 'refused', refused_until = now() + interval '5 min' where host = %s",
            host,
        )
        refused_s = time.monotonic()
        await_true(lambda: stack.rising(host).status == 400, ttl_s, "a refusal")
        assert time.monotonic() - refused_s < allow_s(0.75 * ttl_s + 0.5)
        assert {report(stack, what, host).status for what in REPORTS} == {403}
    finally:
        twins.resume()


def test_behind_pgbouncer(new_stack: Callable[..., Stack], twins: Twins, folder: Path) -> None:
    """In transaction mode, with fewer connections than workers."""
    if program("pgbouncer") is None:
        pytest.skip("pgbouncer is not installed")
    database = twins.primary.new_database()
    twins.catch_up()
    bouncer = PgBouncer(Path(tempfile.mkdtemp(prefix="bouncer", dir=folder)), twins.standby, database.name).start()
    try:
        stack = new_stack(
            database=database,
            UPBEAT_DATABASE_READ=bouncer.conninfo,
            UPBEAT_PREPARE="off",
            UPBEAT_TTL_MS=str(OUT_OF_REACH_MS),
            UPBEAT_STALE_MS=str(OUT_OF_REACH_MS),
        )
        host = "bouncer.example"
        begin(stack, twins, host)
        await_served(stack, host)

        def ask(n: int) -> int:
            return report(stack, list(REPORTS)[n % len(REPORTS)], host, limit=n + 1).status

        def are_served() -> bool:  # on a busy machine one that is late has all others go to the primary for a while
            before = outcomes(stack)
            with ThreadPoolExecutor(6) as pool:
                assert set(pool.map(ask, range(60))) == {200}
            return (outcomes(stack) - before)["served"] > 60

        await_true(are_served, 20, "reads by two connections")
        log = twins.standby.log.read_text(errors="replace")
        assert re.search(r"execute <unnamed>: select .*page_history\(", log)
        bouncer.kill()
        assert {ask(n) for n in range(30)} == {200}
        bouncer.start()
        await_served(stack, host)
    finally:
        bouncer.kill()


@pytest.mark.unhurried
@pytest.mark.once
def test_the_primary_is_lost(
    new_stack: Callable[..., Stack], own_twins: Twins, measured: Callable[[str], None]
) -> None:
    """What no worker has in memory comes from the standby, stale; and once the standby is the primary all is well."""
    host = "lost.example"
    twins = own_twins
    database = twins.primary.new_database()
    twins.catch_up()
    stack = new_stack(
        database=database,
        UPBEAT_DATABASE=both(twins.primary, twins.standby, database.name),
        UPBEAT_DATABASE_READ=both(twins.primary, twins.standby, database.name, "prefer-standby"),
        UPBEAT_WORKERS="1",
    )
    begin(stack, twins, host)
    tokens = [add_token(stack, host, "--may", "all") for _ in range(2)]
    revoke_last(stack)
    twins.catch_up()
    await_served(stack, host)
    seen = stack.rising(host)
    twins.catch_up()
    twins.pause()
    unheard = add_token(stack, host, "--may", "all")
    kill(twins.primary)
    killed_s = time.monotonic()
    answers = [stack.rising(host, limit=n + 1) for n in range(10)]
    answers += [report(stack, what, host, limit=n + 1) for n, what in enumerate(REPORTS)]
    answers.append(stack.rising(host, tokens[0], limit=77))
    took_s = time.monotonic() - killed_s
    assert {one.status for one in answers} == {200}, answers
    time.sleep(max(0.0, 3.2 - took_s))  # nothing that could be awaited: the row grows older than the TTL
    late = stack.rising(host, limit=55)
    assert late.status == 200 and late.headers["Warning"].startswith("111") and int(late.headers["Age"]) >= 3
    assert tag_time(late) == tag_time(seen)
    assert stack.rising(host, tokens[1], limit=78).status == 401
    assert stack.rising(host, unheard).status == 503, "the standby has not heard of it"
    assert stack.rising(host, KEY_MARK + "-other", limit=79).status == 503
    assert stack.rising("cold.example").status == 503
    promote(twins.standby)
    await_true(lambda: "Warning" not in stack.rising(host).headers, 10, "a fresh answer")
    assert {report(stack, what, host, limit=9).status for what in REPORTS} == {200}
    measured(f"200 for what was never asked before, {len(answers)} answers in {took_s:.2f} s")
