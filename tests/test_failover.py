"""A primary is lost, and a standby takes its place: what clients hear meanwhile."""

import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Callable, Iterator

import pytest

from servers.pair import Frozen, Viewers, both, kill, make_pair, promote, questions
from servers.postgres import Database, Postgres
from servers.processes import allow_s, await_true, end
from servers.stack import KEY, PATH, Stack, page
from servers.tokens import add_token, run_token

HOST = "failover.example"
TRENDS = "/api/v1.0/trends"


@pytest.fixture
def pair(folder: Path) -> Iterator[tuple[Postgres, Postgres]]:
    one = make_pair(Path(tempfile.mkdtemp(prefix="pair", dir=folder)))
    yield one
    for postgres in one:
        postgres.stop(signal.SIGQUIT)


def start(new_stack: Callable[..., Stack], pair: tuple[Postgres, Postgres], first: int, **settings: str) -> Stack:
    """A service whose string names the primary (0) or the standby (1) first."""
    database = pair[0].new_database()
    stack = new_stack(
        database=database,
        cached=True,
        UPBEAT_DATABASE=both(pair[first], pair[1 - first], database.name),
        **settings,
    )
    stack.simulator.script(HOST, [page("/", 1), page("/a", 5)])
    assert stack.rising(HOST).status == 200
    return stack


def fault_of(viewers: Viewers, from_s: float) -> str:
    """The first answers that are none, and when they were asked for."""
    bad = [one for one in viewers.answers if one[3].status != 200]
    return "\n".join(f"{at_s - from_s:.2f} s, {took_s:.2f} s: {path} {answer}" for at_s, took_s, path, answer in bad)


@pytest.mark.unhurried
@pytest.mark.once
@pytest.mark.parametrize("first", [0, 1], ids=["first", "last"])
def test_primary_frozen(
    new_stack: Callable[..., Stack], pair: tuple[Postgres, Postgres], first: int, measured: Callable[[str], None]
) -> None:
    """Nobody who asked before hears of it, and new rows come as soon as there is a primary."""
    primary, standby = pair
    stack = start(new_stack, pair, first)
    with Viewers(stack, questions(HOST), KEY, 0.05) as viewers:
        viewers.await_more(60)
        with Frozen(primary):
            frozen_s = time.monotonic()
            viewers.await_more(150)
            stale = stack.rising(HOST)
            cold_s = time.monotonic()
            cold = stack.rising("cold.example")
            cold_s = time.monotonic() - cold_s
            promote(standby)
            promoted_s = time.monotonic()
            stack.simulator.script(HOST, [page("/", 2), page("/a", 9)])
            await_true(lambda: "Warning" not in stack.rising(HOST).headers, 8, "a fresh answer")
            back_s = time.monotonic() - promoted_s
            viewers.await_more(60)
    assert not fault_of(viewers, frozen_s)
    assert stale.status == 200 and stale.headers["Warning"].startswith("111")
    assert cold.status == 503 and int(cold.headers["Retry-After"]) >= 1
    slowest_s = viewers.slowest_s()
    measured(f"200, slowest {slowest_s:.2f} s; fresh again {back_s:.2f} s after the promotion; cold {cold_s:.2f} s")
    assert slowest_s < allow_s(1.3) and cold_s < allow_s(1.3)
    assert back_s < allow_s(8), "the lease of the fetch that was lost, and a refresh"


@pytest.mark.once
def test_primary_killed(
    new_stack: Callable[..., Stack], pair: tuple[Postgres, Postgres], measured: Callable[[str], None]
) -> None:
    """Through nginx with a view token: the list, /trends and /events. Nothing is lost."""
    primary, standby = pair
    stack = start(new_stack, pair, 0)
    token = add_token(stack, HOST, "--may", "board")
    kept = "select host, taken_at from snapshots"
    with Viewers(stack, questions(HOST), token, 0.02) as viewers:
        viewers.await_more(100)
        acknowledged = stack.database.rows(kept)
        kill(primary)
        killed_s = time.monotonic()
        viewers.await_more(200)
        trend = stack.ask(TRENDS, headers={"X-CB-AK": token}, host=HOST, spark=1)
        promote(standby)
        viewers.await_more(50)
    assert not fault_of(viewers, killed_s)
    assert viewers.slowest_s() < allow_s(1.3)
    assert trend.json["host"] == HOST
    said = [answer for answer in viewers.after(killed_s + 4) if "Warning" in answer.headers]
    assert all("Age" in answer.headers or "Last-Modified" in answer.headers for answer in said)
    measured(f"200 to a view token, slowest {viewers.slowest_s():.2f} s")
    stack.database = Database(standby, stack.database.name)
    assert set(acknowledged) <= set(stack.database.rows(kept))


def let_in(stack: Stack, token: str, origin: str) -> set[str | None]:
    """The origins that the answers to a token let in; each of the workers is asked, and may have none."""
    asks = {"X-CB-AK": token, "Origin": origin}
    answers = [stack.ask("/api/v1.0/hosts", headers=asks) for _ in range(12)]
    return {answer.headers["Access-Control-Allow-Origin"] for answer in answers if answer.status == 200}


def test_who_may_hear_a_kept_answer(new_stack: Callable[..., Stack], folder: Path) -> None:
    """The one who got it, with the same question; and not a token that was revoked before."""
    postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg", dir=folder))).make()
    try:
        stack = new_stack(database=postgres.new_database(), cached=True, UPBEAT_WORKERS="1")
        stack.simulator.script(HOST, [page("/", 1)])
        assert stack.rising(HOST).status == 200
        bound = add_token(stack, HOST, "--may", "board", "--origins", "https://a.example")
        valid, revoked = add_token(stack, HOST), add_token(stack, HOST)
        assert let_in(stack, bound, "https://a.example") == {"https://a.example"}
        for token in (valid, revoked):
            assert stack.rising(HOST, token).status == 200
        stack.database.rows("update access_tokens set revoked_at = clock_timestamp() where note = 'a test'"
                            " and token_id = (select max(token_id) from access_tokens)")
        await_true(lambda: stack.rising(HOST, revoked).status == 401, 5, "a token that is refused")
        postgres.stop()
        await_true(lambda: "Warning" in stack.rising(HOST).headers, 8, "a stale answer")
        assert stack.rising(HOST, valid).status == 200
        assert stack.rising(HOST, revoked).status in (401, 503)
        assert let_in(stack, bound, "https://a.example") == {"https://a.example"}
        assert let_in(stack, bound, "https://b.example") <= {None}
        assert stack.rising(HOST, KEY + "-other").status == 503
        assert stack.rising(HOST, limit=1).status == 503, "another question"
        assert stack.rising("cold.example").status == 503
        csv = stack.rising(HOST, headers={"Accept": "text/csv"})
        assert csv.status == 503
    finally:
        postgres.stop(signal.SIGQUIT)


@pytest.mark.unhurried
def test_a_kept_answer_has_an_end_and_says_its_age(new_stack: Callable[..., Stack], folder: Path) -> None:
    postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg", dir=folder))).make()
    try:
        stack = new_stack(
            database=postgres.new_database(),
            cached=True,
            UPBEAT_WORKERS="1",
            UPBEAT_STALE_MS="3000",
            UPBEAT_STALE_ERROR_MS="7000",
        )
        stack.simulator.script(HOST, [page("/", 1)])
        taken_s = time.monotonic()
        assert stack.rising(HOST).status == 200
        ask = {"headers": {"X-CB-AK": KEY}, "host": HOST}
        assert stack.ask(TRENDS, **ask).json["stale"] is False
        postgres.stop()
        await_true(lambda: "Warning" in stack.rising(HOST).headers, 8, "a stale answer")
        await_true(lambda: int(stack.rising(HOST).headers["Age"] or 0) >= 4, 6, "an age that grows")
        await_true(lambda: stack.ask(TRENDS, **ask).json["stale"] is True, 3, "after nginx's copy, the worker's memory")
        await_true(lambda: stack.rising(HOST).status == 503, 8, "the end")
        assert 6 < time.monotonic() - taken_s < allow_s(10)
    finally:
        postgres.stop(signal.SIGQUIT)


def test_nginx_has_copies_where_all_workers_are_gone(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(cached=True, UPBEAT_WORKERS="1")
    stack.simulator.script(HOST, [page("/", 1)])
    assert stack.rising(HOST).status == 200
    asked = stack.ask(TRENDS, headers={"X-CB-AK": KEY}, host=HOST)
    assert asked.status == 200
    for pool in (stack.pool, stack.reports):
        end(pool._process)
    await_true(lambda: "Warning" in stack.rising(HOST).headers, 5, "a copy")
    copy = stack.rising(HOST)
    assert copy.status == 200 and copy.headers["Warning"].startswith("111")
    assert "Last-Modified" in copy.headers and "no-cache" in copy.headers["Cache-Control"]
    assert stack.ask(TRENDS, headers={"X-CB-AK": KEY}, host=HOST).body == asked.body
    assert stack.ask(PATH, headers={"X-CB-AK": KEY + "-other"}, host=HOST).status == 502
    for pool in (stack.pool, stack.reports):
        pool.start()
    await_true(lambda: "Warning" not in stack.rising(HOST).headers, 5, "a worker's answer")


def test_a_name_that_cannot_be_looked_up_holds_nobody_up(
    new_stack: Callable[..., Stack], pair: tuple[Postgres, Postgres]
) -> None:
    """No name of a host, two that are refused, and a host of no server come before the one that works."""
    primary = pair[0]
    database = primary.new_database()
    hosts = f"no-such-host.invalid,localhost,127.0.0.1,{pair[1].folder},{primary.folder}"
    stack = new_stack(
        database=database,
        UPBEAT_DATABASE=f"host={hosts} port=1,1,1,5432,5432 dbname={database.name} target_session_attrs=read-write",
    )
    stack.simulator.script(HOST, [page("/", 1)])
    assert stack.rising(HOST).status == 200


def test_a_command_of_a_person_waits_for_a_server_that_is_slow(
    new_stack: Callable[..., Stack], pair: tuple[Postgres, Postgres]
) -> None:
    """Longer than a service does, which has its next try, and others to ask."""
    stack = start(new_stack, pair, 0)
    with ThreadPoolExecutor(1) as pool:
        with Frozen(pair[0]), Frozen(pair[1]):
            command = pool.submit(run_token, stack, "list")
            wait([command], timeout=0.8)
            assert not command.done(), command.result().stderr
        assert command.result().returncode == 0, command.result().stderr
