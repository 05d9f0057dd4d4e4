"""The stand-in for Chartbeat keeps its own promises, so that other tests can build on it."""

import gzip
import hashlib
import http.client
import json
import math
import os
import socket
import statistics
import subprocess
import textwrap
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Iterator
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit

import pytest

from servers.processes import allow_s, await_true
from servers.simulator import FOLDER, PYTHON, Simulator

pytestmark = pytest.mark.once

KEY = "test-key-0001"
HOST = "a.example"
EPOCH = 1_700_000_000


class Reply:
    """A whole answer: status, headers, the body as it came and as it unpacks."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers = answer.status, answer.headers
        self.wire = answer.read()
        packed = self.headers.get("Content-Encoding") == "gzip"
        self.body = gzip.decompress(self.wire) if packed else self.wire

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    simulator: Simulator,
    host: str | None = HOST,
    key: str | None = KEY,
    form: str = "v3",
    timeout_s: float = 10,
    accept: str = "identity",
    **query: Any,
) -> Reply:
    connection = http.client.HTTPConnection(
        urlsplit(simulator.upstream_url).netloc, timeout=timeout_s
    )
    path = "/live/toppages/v3/" if form == "v3" else "/live/toppages/"
    query = ({"host": host} if host is not None else {}) | query
    headers = {"Accept-Encoding": accept} | ({"X-CB-AK": key} if key else {})
    try:
        connection.request("GET", f"{path}?{urlencode(query)}", headers=headers)
        return Reply(connection.getresponse())
    finally:
        connection.close()


def people(reply: Reply) -> dict[str, Any]:
    return {page["path"]: page["stats"]["people"] for page in reply.json["pages"]}


def stats(reply: Reply) -> dict[str, Any]:
    return {page["path"]: page["stats"] for page in reply.json["pages"]}


def page(path: str, visitors: Any, **more: Any) -> dict[str, Any]:
    return {"path": path, "title": f"Page {path}", "visitors": visitors, **more}


def test_a_day_goes_by_its_script(tmp_path: Path) -> None:
    """A minute of the day in less than a second, from 09:59 on: the surge begins, by its source alone."""
    midnight = EPOCH // 86400 * 86400
    settings = {"epoch": midnight + 10 * 3600 - 60, "latency_ms": 0, "limit_per_minute": 100000, "key": f"{KEY}=*"}
    with Simulator(source="day", **settings, step_ms=60000) as simulator:
        before = stats(ask(simulator))["/p20"]
    with Simulator(source="day", **settings, step_ms=100, speed=100) as simulator:

        def doubled() -> Any:
            now = stats(ask(simulator))["/p20"]
            return now["people"] >= 2 * before["people"] and now

        now = await_true(doubled, 20, "the surge")
        assert now["social"] - before["social"] > 0.8 * (now["people"] - before["people"])
        assert [fact["path"] for fact in simulator.truth(HOST)] == ["/p20"]
        assert len(ask(simulator).json["pages"]) == 60
    settings["epoch"] = midnight + 11 * 3600 + 1
    with Simulator(source="day", **settings, step_ms=60000) as simulator:
        assert len(ask(simulator).json["pages"]) == 3
    for wrong in ("stay_s = 'long'", 'stay_s = 1\n[pages]\ncount = 1\nlargest = 1\n[tide]\n"25:00" = 1', "x = 1", "["):
        script = tmp_path / "day.toml"
        script.write_text(wrong)
        with pytest.raises(RuntimeError, match="simulator: .*day.toml"):
            Simulator(source="day", day=script).start()


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    simulator = Simulator(latency_ms=0, epoch=EPOCH, step_ms=60000, key=[f"{KEY}=a.example,*"])
    yield simulator.start()
    assert simulator.stop() == 0
    assert "Traceback" not in simulator.log() and "in the lines above" not in simulator.log()


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    running.reset()
    return running


# What it answers


def test_a_v3_answer_has_the_size_and_the_members_of_a_real_one(simulator: Simulator) -> None:
    reply = ask(simulator, limit=100)
    pages = reply.json["pages"]
    assert len(pages) == 100
    assert 200_000 <= len(reply.body) <= 400_000
    for one in pages:
        stats = one["stats"]
        parts = ("direct", "links", "search", "social", "internal")
        assert sum(stats[name] for name in parts) == stats["people"] > 0
        assert {"breaks", "num_values", "median", "hist", "avg", "sum"} <= set(stats["scroll"])
        assert {"sections", "authors", "path", "title"} <= set(one)
        assert {"toprefs", "recirc", "crowd", "num_refs", "platform", "idle"} <= set(stats)


def test_pages_come_by_visitors_and_limit_cuts_them(simulator: Simulator) -> None:
    counts = list(people(ask(simulator, limit=100)).values())
    assert counts == sorted(counts, reverse=True)
    assert list(people(ask(simulator, limit=7)).values()) == counts[:7]


def test_the_legacy_form_holds_the_same_list(simulator: Simulator) -> None:
    legacy = ask(simulator, form="legacy", key=None, apikey=KEY, limit=20).json
    v3 = ask(simulator, limit=20).json["pages"]
    assert legacy == [
        {"i": p["title"], "path": p["path"], "visitors": p["stats"]["people"]} for p in v3
    ]


def test_gzip_only_for_those_who_take_it(simulator: Simulator) -> None:
    packed, plain = ask(simulator, accept="gzip"), ask(simulator)
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Encoding" not in plain.headers
    assert packed.body == plain.body and len(packed.wire) < len(plain.wire) / 2


def test_titles_hold_the_traps_of_csv_html_and_unicode(simulator: Simulator) -> None:
    titles = [p["title"] for p in ask(simulator, limit=100).json["pages"]]
    for trap in ("&amp;", '"', ",", "🔥", "דיווח", "عاجل", "\\"):
        assert any(trap in title for title in titles), trap
    for start in "=+-@":
        assert any(title.startswith(start) for title in titles), start


@pytest.mark.parametrize("form", ["v3", "legacy"])
def test_refusals_have_a_status_and_a_json_body(simulator: Simulator, form: str) -> None:
    simulator.keys("one-host-key", ["b.example"])
    for status, host, key in [(400, None, KEY), (401, HOST, None), (401, HOST, "unknown-key")]:
        reply = ask(simulator, host, key, form)
        assert (reply.status, list(reply.json)) == (status, ["error"])
    assert ask(simulator, HOST, "one-host-key", form).status == 403
    assert ask(simulator, "B.example", "one-host-key", form).status == 200
    assert ask(simulator, limit="x").status == 400


def test_a_revoked_key_is_unknown_and_a_reset_brings_the_first_keys_back(
    simulator: Simulator,
) -> None:
    simulator.keys(KEY, None)
    assert ask(simulator).status == 401
    simulator.keys("any-host-key", "*")
    assert ask(simulator, "any.example", "any-host-key").status == 200
    simulator.reset()
    assert ask(simulator).status == 200
    assert ask(simulator, key="any-host-key").status == 401


def test_over_the_limit_it_answers_429_for_that_host_and_key_alone() -> None:
    keys = [f"{KEY}=a.example,b.example", "test-key-0002=a.example"]
    with Simulator(latency_ms=0, source="script", limit_per_minute=3, key=keys) as simulator:
        for left in (2, 1, 0):
            reply = ask(simulator)
            assert reply.headers["X-RateLimit-Limit"] == "3"
            assert (reply.status, reply.headers["X-RateLimit-Remaining"]) == (200, str(left))
        reply = ask(simulator)
        assert (reply.status, reply.headers["X-RateLimit-Remaining"]) == (429, "0")
        assert 50 <= int(reply.headers["Retry-After"]) <= 60
        assert ask(simulator, host="b.example").status == 200
        assert ask(simulator, key="test-key-0002").status == 200
        assert ask(simulator, key="unknown-key").headers["X-RateLimit-Limit"] == "3"
        simulator.reset()
        assert ask(simulator).status == 200


def test_latency_is_the_one_asked_for_and_many_wait_at_once() -> None:
    with Simulator(latency_ms=100, source="script", key=f"{KEY}=*") as simulator:
        started_s = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda n: ask(simulator, f"h{n}.example"), range(50)))
        assert 0.1 <= time.monotonic() - started_s < allow_s(2)
        assert {reply.status for reply in replies} == {200}


# Sources


def test_a_script_is_served_exactly_until_it_is_replaced(simulator: Simulator) -> None:
    simulator.script(HOST, [page("/low", 1), page("/high", 40), page("/low", 2)])
    for _ in range(2):
        served = ask(simulator, limit=1).json["pages"]
        assert [(p["path"], p["stats"]["people"]) for p in served] == [
            ("/low", 1),
            ("/high", 40),
            ("/low", 2),
        ]
    simulator.script(HOST, [])
    assert ask(simulator).json == {"pages": []}
    simulator.end_script(HOST)
    assert len(ask(simulator).json["pages"]) == 100


def test_a_scripted_page_may_override_anything(simulator: Simulator) -> None:
    simulator.script(
        HOST,
        [
            page("/a", "12", stats={"visits": 3}, sections=["x"], title=None),
            page("/b", float("nan"), omit=["title"]),
            {"raw": {"only": "this"}},
            page("/c", 5, omit=["stats"]),
        ],
    )
    a, b, raw, c = ask(simulator).json["pages"]
    assert (a["title"], a["sections"]) == (None, ["x"])
    assert (a["stats"]["people"], a["stats"]["visits"]) == ("12", 3)
    assert "title" not in b and b["stats"]["people"] != b["stats"]["people"]
    assert raw == {"only": "this"} and "stats" not in c
    assert ask(simulator, form="legacy").json[3] == {"i": "Page /c", "path": "/c"}


def test_a_sequence_moves_on_with_each_answer_and_stays_at_its_end(simulator: Simulator) -> None:
    simulator.script(HOST, sequence=[[page("/", 1)], [page("/", 2)], [page("/", 3)]])
    simulator.fault(HOST, "status", times=1)
    assert ask(simulator).status == 503
    assert [people(ask(simulator))["/"] for _ in range(4)] == [1, 2, 3, 3]


def test_a_scripted_body_is_served_byte_by_byte(simulator: Simulator) -> None:
    simulator.script(HOST, body="{nö", status=502, headers={"X-Odd": "1"})
    reply = ask(simulator)
    assert (reply.status, reply.headers["X-Odd"]) == (502, "1")
    assert reply.body == "{nö".encode()
    simulator.script(HOST, body_base64="/wA=")
    assert ask(simulator).body == b"\xff\x00"


def test_a_script_for_every_host_yields_to_a_hosts_own(simulator: Simulator) -> None:
    simulator.script("*", [page("/all", 1)])
    simulator.script(HOST, [page("/own", 2)])
    assert people(ask(simulator)) == {"/own": 2}
    assert people(ask(simulator, "b.example")) == {"/all": 1}


def concurrents(rows: list[tuple[int, int, str]], t: int, limit: int) -> list[tuple[str, int]]:
    """The traffic README's definition, with none of the simulator's means."""
    seen = {(path, visitor) for second, visitor, path in rows if t - 300 < second <= t}
    paths = [path for path, _ in seen]
    return sorted(((p, paths.count(p)) for p in set(paths)), key=lambda row: (-row[1], row[0]))[
        :limit
    ]


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[tuple[int, int, str]]]:
    """A day in small; every number is a residue, so visitors come back and seconds repeat."""
    rows = [(n * n % 4001, n * 7 % 23, f"/p{n * 13 % 17}") for n in range(1500)]
    file = tmp_path_factory.mktemp("traffic") / "traffic.tsv"
    lines = ["second\tvisitor\tpath", *("\t".join(map(str, row)) for row in sorted(rows))]
    file.write_text("\n".join(lines) + "\n")
    return str(file), rows


def test_a_replay_counts_the_distinct_visitors_of_300_seconds(
    traffic: tuple[str, list[tuple[int, int, str]]],
) -> None:
    file, rows = traffic
    forward = [*range(0, 60), *range(290, 310), *range(1000, 4400, 150)]
    with Simulator(source="replay", traffic=file, latency_ms=0, key=f"{KEY}=*") as simulator:
        for t in [*forward, 700, 2000, 1999, 5]:
            simulator.replay(HOST, t)
            reply = ask(simulator, limit=12)
            assert list(people(reply).items()) == concurrents(rows, t, 12), t


def test_a_replay_moves_with_the_clock_and_a_held_host_does_not(
    traffic: tuple[str, list[tuple[int, int, str]]],
) -> None:
    file, rows = traffic
    settings: dict[str, Any] = {"source": "replay", "traffic": file, "start": 1000, "speed": 100}
    with Simulator(**settings, step_ms=50, latency_ms=0, key=f"{KEY}=*") as simulator:
        simulator.replay("held.example", 1000)
        first, held = people(ask(simulator)), people(ask(simulator, "held.example"))
        await_true(lambda: people(ask(simulator)) != first, 5, "another list")
        assert people(ask(simulator, "held.example")) == held == dict(concurrents(rows, 1000, 100))


def test_the_real_traffic_replays_exactly(recorded_traffic: Path) -> None:
    lines = recorded_traffic.read_text(encoding="utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    near = [(int(s), int(v), p) for s, v, p in rows if 35000 < int(s) < 37000]
    settings: dict[str, Any] = {"source": "replay", "traffic": str(recorded_traffic)}
    with Simulator(**settings, latency_ms=0, key=f"{KEY}=*") as simulator:
        for t in range(36000, 36060, 3):
            simulator.replay(HOST, t)
            assert list(people(ask(simulator)).items()) == concurrents(near, t, 100), t


def test_the_model_is_the_same_for_the_same_seed_host_and_time(simulator: Simulator) -> None:
    settings: dict[str, Any] = {"epoch": EPOCH, "step_ms": 60000, "latency_ms": 0}
    with Simulator(**settings, key=f"{KEY}=*") as same:
        assert ask(same).body == ask(simulator).body
        assert ask(same, "b.example").body != ask(same).body
    with Simulator(**settings, key=f"{KEY}=*", seed=2) as other:
        assert ask(other).body != ask(simulator).body


def test_the_models_data_change_with_the_step() -> None:
    with Simulator(step_ms=100, speed=30, latency_ms=0, key=f"{KEY}=*") as simulator:
        first = ask(simulator).body
        await_true(lambda: ask(simulator).body != first, 5, "another list")


def test_hosts_that_share_a_world_share_its_list() -> None:
    with Simulator(worlds=1, step_ms=60000, latency_ms=0, key=f"{KEY}=*") as simulator:
        assert ask(simulator, "a.example").body == ask(simulator, "b.example").body


def model(code: str) -> Any:
    """Runs `code` with the simulator's module `model` at hand; the JSON that it prints."""
    ran = subprocess.run(
        [PYTHON, "-B", "-c", "import json\nfrom model import *\n" + textwrap.dedent(code)],
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_some_surge_runs_at_any_time_and_no_page_has_two_at_once() -> None:
    surges = model(
        f"""
        surges = Site(3, "a.example", 300).surges({EPOCH}, {EPOCH} + 86400)
        print(json.dumps([[s.article.path, s.from_t, s.to_t, s.factor] for s in surges]))
        """
    )
    for t in range(EPOCH, EPOCH + 86400, 30):
        paths = [path for path, from_t, to_t, _ in surges if from_t <= t < to_t]
        assert paths and len(paths) == len(set(paths))
    assert all(1.5 <= factor <= 6 for *_, factor in surges)


def test_a_surge_shows_in_the_counts_as_its_truth_says() -> None:
    facts = model(
        f"""
        m = Model(5, "a.example", 3.0, {EPOCH})
        tops = []
        for step in range(2400):
            m.advance(step)
            tops.append({{page.path: page.visitors for page in m.top(300)}})
        for fact in (facts := m.truth(m.t - 600)):
            for end in ("from_t", "to_t"):
                step = int((fact[end] - m.start_t) / 3)
                fact["seen_" + end] = tops[max(step, 0)].get(fact["path"], 0)
        print(json.dumps([f for f in facts if f["from_t"] > m.start_t and f["base"] > 15]))
        """
    )
    # Summed over many surges: one alone drowns in the noise of its visitors.
    assert len(facts) > 10
    base = sum(fact["base"] for fact in facts)
    assert 0.8 < sum(fact["seen_from_t"] for fact in facts) / base < 1.5
    grown = [1 - math.exp((fact["from_t"] - fact["to_t"]) / 180) for fact in facts]
    told = sum(f["base"] * (1 + (f["factor"] - 1) * share) for f, share in zip(facts, grown))
    assert 0.85 < sum(fact["seen_to_t"] for fact in facts) / told < 1.3


def test_the_simulated_past_goes_over_into_the_model() -> None:
    """The whole list, and what surges just then: far apart if one had surged and the other had not."""
    sums = model(
        f"""
        from past import Past
        sums = []
        for t in range({EPOCH}, {EPOCH} + 86400, 7200):
            before = {{row[1]: row[0] for row in Past(1, "a.example").rows(t - 60.0)}}
            model = Model(1, "a.example", 3.0, t, has_past=True)
            after = {{page.path: page.visitors for page in model.top(100)}}
            site = Site(1, "a.example", 300)
            surging = [s.article.path for s in site.surges(t - 300, t - 120) if s.to_t > t]
            surging = [path for path in surging if before.get(path) and after.get(path)]
            sums.append([sum(one.values()) for one in (before, after)])
            sums[-1] += [sum(one[path] for path in surging) for one in (before, after)]
        print(json.dumps(sums))
        """
    )
    assert all(abs(after / before - 1) < 0.06 for before, after, _, _ in sums), sums
    before, after = (sum(row[n] for row in sums) for n in (2, 3))
    assert before > 1000 and abs(after / before - 1) < 0.15


def test_the_present_of_a_site_with_a_past_is_as_its_past_at_this_hour() -> None:
    """Its head says so at whatever time one looks: what is usual then is the median of the same quarter of an hour of
    like days, as upbeat-history makes it of the past."""
    shares = model(
        f"""
        import statistics
        from past import Past
        past = Past(1, "a.example")
        shares = []
        for t in range({EPOCH} // 900 * 900 + 300, {EPOCH} + 14 * 86400, 78000):
            isoweekday = lambda at: (at // 86400 + 3) % 7
            days = [d for d in range(1, 28) if (isoweekday(t - d * 86400) < 5) == (isoweekday(t) < 5)]
            then = [past.rows(t // 900 * 900.0 - d * 86400, 900.0) for d in days]
            usual = statistics.median(sum(row[0] for row in rows) for rows in then)
            m = Model(1, "a.example", 3.0, t, has_past=True)
            m.advance(20)
            shares.append(sum(page.visitors for page in m.top(100)) / usual - 1)
        print(json.dumps(shares))
        """
    )
    near = sum(abs(share) < 0.1 for share in shares)
    assert near >= 0.75 * len(shares) and abs(sum(shares) / len(shares)) < 0.05, shares


def test_a_surge_of_a_site_with_a_past_comes_by_one_source_before_and_after() -> None:
    sums = model(
        f"""
        from past import Past, SOURCE_ORDER
        sums = []
        for t in range({EPOCH}, {EPOCH} + 86400, 7200):
            before = {{row[1]: row[4] for row in Past(1, "a.example").rows(t - 60.0)}}
            for page in Model(1, "a.example", 3.0, t, has_past=True).top(100):
                if page.extra and page.path in before:
                    stats = page.extra["stats"]
                    then = dict(zip(SOURCE_ORDER, map(int, before[page.path].split(","))))
                    most = max(abs(stats[n] - then[n]) for n in stats)
                    sums.append([page.visitors - sum(stats.values()), most / page.visitors])
        print(json.dumps(sums))
        """
    )
    assert len(sums) > 20 and all(row[0] == 0 for row in sums)
    assert statistics.median(row[1] for row in sums) < 0.25  # by chance, and by what a minute does


def test_the_truth_lists_surges_and_on_demand_new_pages(simulator: Simulator) -> None:
    facts = simulator.truth(HOST)
    assert facts and {fact["kind"] for fact in facts} == {"surge"}
    assert all(set(fact) >= {"path", "from_t", "to_t", "factor"} for fact in facts)
    assert any(fact["from_t"] <= EPOCH < fact["to_t"] for fact in facts)
    assert set(people(ask(simulator, limit=300))) >= {fact["path"] for fact in facts}
    births = model(
        f"""
        m = Model(1, "a.example", 3.0, {EPOCH})
        print(json.dumps(m.truth({EPOCH} + 7200, births=True)))
        """
    )
    assert {fact["kind"] for fact in births} == {"surge", "new"}


def test_pages_appear_and_vanish_while_the_total_follows_the_tide() -> None:
    first, later, share = model(
        f"""
        m = Model(1, "a.example", 3.0, {EPOCH})
        first = [page.path for page in m.top(100)]
        m.advance(1200)
        share = sum(page.visitors for page in m.top(1000)) / (8000 * tide(m.t))
        print(json.dumps([first, [page.path for page in m.top(100)], share]))
        """
    )
    assert 10 < len(set(later) - set(first)) < 60
    assert 0.9 < share < 1.5


# What it counts


def test_counts_and_log_tell_who_asked_without_the_key(simulator: Simulator) -> None:
    key8 = hashlib.sha256(KEY.encode()).hexdigest()[:8]
    started_s = time.time()
    ask(simulator, limit=5)
    ask(simulator, form="legacy", key=None, apikey=KEY)
    ask(simulator, "b.example", "unknown-key")
    counts = simulator.counts()
    assert counts["requests"][HOST] == {key8: 2}
    assert counts["hosts"] == {HOST: 2, "b.example": 1}
    assert (counts["total"], counts["in_flight"]) == (3, 0)
    assert counts["by_status"] == {"200": 2, "401": 1}
    first, second = simulator.requests(HOST)
    assert started_s <= first.pop("t") <= time.time() and second["t"]
    assert first == {
        "host": HOST,
        "key8": key8,
        "status": 200,
        "via": "header",
        "form": "v3",
        "query": {"host": HOST, "limit": "5"},
    }
    assert (second["via"], second["form"], second["query"]) == ("query", "legacy", {"host": HOST})
    assert len(simulator.requests()) == 3
    assert KEY not in json.dumps([counts, simulator.requests()])
    simulator.reset()
    assert simulator.counts()["total"] == 0 and simulator.requests() == []


def test_no_key_reaches_its_output() -> None:
    simulator = Simulator(latency_ms=0, key=f"{KEY}=*").start()
    ask(simulator)
    ask(simulator, form="legacy", key=None, apikey=KEY)
    url = urlsplit(simulator.upstream_url)
    with socket.create_connection((url.hostname or "", url.port or 0)) as raw:
        raw.sendall(f"GE\x01T /live/toppages/?apikey={KEY} HTTP/1.1\r\nX\r\n\r\n".encode())
        assert b"400" in raw.recv(100)
    assert simulator.stop() == 0
    assert KEY not in simulator.log() and "simulated" in simulator.log()


# Faults


def test_faults_strike_as_often_as_told_oldest_first_then_those_of_all(
    simulator: Simulator,
) -> None:
    simulator.fault("*", "status", status=500, times=1)
    simulator.fault(HOST, "status", status=502, times=2)
    simulator.fault(HOST, "status", status=504, times=1)
    assert [ask(simulator).status for _ in range(5)] == [502, 502, 504, 500, 200]
    simulator.fault(HOST, "status")
    assert ask(simulator, "b.example").status == 200
    assert [ask(simulator).status for _ in range(3)] == [503] * 3
    simulator.end_faults(HOST)
    assert ask(simulator).status == 200


@pytest.mark.parametrize(
    "given",
    [
        {"host": HOST, "kind": "fire"},
        {"host": HOST, "kind": "hang", "seconds": 3},
        {"host": HOST, "kind": "status", "body": "xml"},
        {"host": HOST, "kind": "close", "times": 0},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(simulator: Simulator, given: dict) -> None:
    with pytest.raises(HTTPError, match="400"):
        simulator.call("POST", "/faults", given)
    assert ask(simulator).status == 200


@pytest.mark.parametrize(
    "body, content_type", [("html", "text/html"), ("json", "application/json")]
)
def test_status_fault(simulator: Simulator, body: str, content_type: str) -> None:
    simulator.fault(HOST, "status", status=418, body=body, headers={"X-Pot": "tea"})
    reply = ask(simulator)
    assert (reply.status, reply.headers["X-Pot"]) == (418, "tea")
    assert reply.headers["Content-Type"].startswith(content_type) and reply.body
    assert "X-RateLimit-Remaining" in reply.headers


@pytest.mark.parametrize("value", [30, 10**12, "Fri, 31 Dec 2099 23:59:59 GMT"])
def test_retry_after_fault(simulator: Simulator, value: Any) -> None:
    simulator.fault(HOST, "retry_after", value=value)
    reply = ask(simulator)
    assert (reply.status, reply.headers["Retry-After"]) == (429, str(value))


def test_redirect_fault(simulator: Simulator) -> None:
    simulator.fault(HOST, "redirect", location="http://127.0.0.1:1/x")
    reply = ask(simulator)
    assert (reply.status, reply.headers["Location"]) == (302, "http://127.0.0.1:1/x")


@pytest.mark.parametrize("form", ["v3", "legacy"])
@pytest.mark.parametrize(
    "kind, holds",
    [
        ("html_200", b"<!doctype html>"),
        ("empty_body", b""),
        ("not_json", b"pages: none"),
        ("bom", b"\xef\xbb\xbf"),
        ("trailing_junk", b"trailing junk"),
        ("bad_utf8", b"\xff\xfe"),
        ("nul_byte", b"Broken \x00 title"),
        ("nul_escape", rb"Broken \u0000 title"),
        ("half_pair", rb"Broken \ud83d title"),
        ("latin_1", b"Broken \xe9 title"),
        ("number_that_is_none", b'"avg":NaN'),
        ("maintenance", b'"reason":"maintenance"'),
        ("data", b'{"data":{}}'),
        ("deep_nesting", b"[" * 1000 + b"]" * 1000),
    ],
)
def test_a_body_fault_comes_with_status_200(
    simulator: Simulator, kind: str, holds: bytes, form: str
) -> None:
    simulator.script(HOST, [page("/a", 40), page("/b", 20)])
    simulator.fault(HOST, kind)
    reply = ask(simulator, form=form, accept="gzip")
    assert reply.status == 200 and holds in reply.body
    assert (reply.body == b"") == (kind == "empty_body")


def test_the_pages_member_can_be_lost(simulator: Simulator) -> None:
    simulator.fault(HOST, "pages_missing", times=1)
    simulator.fault(HOST, "pages_null", times=2)
    assert [ask(simulator).json for _ in range(2)] == [{}, {"pages": None}]
    assert ask(simulator, form="legacy").body == b"null"


@pytest.mark.parametrize(
    "kind, params, counts",
    [
        ("huge_counts", {}, [2**32, 20]),
        ("huge_counts", {"value": 2**64, "rows": None}, [2**64, 2**64]),
        ("negative_counts", {}, [-40, 20]),
        ("counts_as_strings", {}, ["40", "20"]),
        ("float_counts", {"add": 0.5}, [40.5, 20.5]),
    ],
)
def test_count_faults(
    simulator: Simulator, kind: str, params: dict[str, Any], counts: list[Any]
) -> None:
    simulator.script(HOST, [page("/a", 40), page("/b", 20)])
    simulator.fault(HOST, kind, **params)
    assert list(people(ask(simulator)).values()) == counts
    assert [p["visitors"] for p in ask(simulator, form="legacy").json] == counts


def test_slow_takes_the_latency_that_it_is_given(simulator: Simulator) -> None:
    simulator.fault(HOST, "slow", latency_ms=300)
    started_s = time.monotonic()
    assert ask(simulator).status == 200
    assert time.monotonic() - started_s >= 0.3


def test_a_hanging_request_holds_up_nobody_else_and_ends_with_its_client(
    simulator: Simulator,
) -> None:
    simulator.fault(HOST, "hang")
    hanging = http.client.HTTPConnection(urlsplit(simulator.upstream_url).netloc, timeout=0.2)
    hanging.request("GET", f"/live/toppages/v3/?host={HOST}", headers={"X-CB-AK": KEY})
    simulator.await_counts(lambda counts: counts["in_flight"] == 1)
    assert ask(simulator, "b.example").status == 200
    with pytest.raises(TimeoutError):
        hanging.getresponse()
    hanging.close()
    counts = simulator.await_counts(lambda counts: counts["in_flight"] == 0)
    assert counts["by_status"] == {"200": 1, "hang": 1}


def test_drip_sends_right_headers_and_a_byte_at_a_time(simulator: Simulator) -> None:
    simulator.fault(HOST, "drip", bytes_per_second=20)
    url = urlsplit(simulator.upstream_url)
    connection = http.client.HTTPConnection(url.netloc, timeout=20)
    sent_s = time.monotonic()
    connection.request("GET", f"/live/toppages/v3/?host={HOST}", headers={"X-CB-AK": KEY})
    answer = connection.getresponse()
    heard = b""
    while len(heard) < 5:
        heard += answer.read1(100)
    assert answer.status == 200 and heard.startswith(b'{"pag')
    assert len(heard) - 1 <= 20 * (time.monotonic() - sent_s)
    connection.close()
    simulator.await_counts(lambda counts: counts["in_flight"] == 0)


def test_cut_and_close_end_the_connection_early(simulator: Simulator) -> None:
    simulator.fault(HOST, "cut", times=1)
    simulator.fault(HOST, "close", times=1)
    with pytest.raises(http.client.IncompleteRead):
        ask(simulator)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(simulator)
    simulator.await_counts(lambda counts: counts["by_status"] == {"cut": 1, "close": 1})


@pytest.mark.parametrize("form", ["v3", "legacy"])
def test_too_large_is_valid_json_in_chunks(simulator: Simulator, form: str) -> None:
    simulator.fault(HOST, "too_large", mb=3)
    reply = ask(simulator, form=form)
    assert reply.headers["Transfer-Encoding"] == "chunked" and len(reply.body) >= 3_000_000
    assert len(reply.json["pages"] if form == "v3" else reply.json) > 1000


def test_a_gzip_bomb_is_small_until_it_is_unpacked(simulator: Simulator) -> None:
    simulator.fault(HOST, "gzip_bomb", mb=10)
    reply = ask(simulator)
    assert len(reply.wire) < 50_000
    assert len(zlib.decompress(reply.wire, 31)) > 10_000_000


# Starting and stopping


def test_a_taken_port_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        for setting in ("listen", "control"):
            with pytest.raises(RuntimeError, match=f"cannot listen on {where} .*in use"):
                Simulator(**{setting: where}).start()


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"source": "replay", "traffic": "/nonexistent"}, "No such file"),
        ({"listen": "8080"}, "is not HOST:PORT"),
        ({"key": "no-host-here"}, "KEY=HOST"),
        ({"step_ms": 0}, "is not above 0"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(RuntimeError, match=says) as raised:
        Simulator(**settings).start()
    assert "no-host-here" not in str(raised.value)


def test_sigterm_ends_it_with_0_even_while_requests_hang() -> None:
    simulator = Simulator(latency_ms=0, source="script", key=f"{KEY}=*").start()
    simulator.fault("*", "hang")
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(ask, simulator)
        simulator.await_counts(lambda counts: counts["in_flight"] == 1)
        started_s = time.monotonic()
        assert simulator.stop() == 0
        assert time.monotonic() - started_s < allow_s(2)
        assert isinstance(hanging.exception(), (OSError, http.client.HTTPException))
