"""/metrics: what is counted is what was asked, and stays, whoever is killed; and Prometheus reads it."""

import os
import re
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from servers.burst import burst, request
from servers.load import Load
from servers.postgres import Postgres
from servers.processes import ROOT, await_true
from servers.prometheus import Prometheus
from servers.stack import KEY, KEY_MARK, PATH, Stack, page
from servers.tokens import add_token
from servers.up import Up

LINE = re.compile(r"^([a-z_]+)(?:\{(.*)\})? ([0-9.eE+-]+)$")
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
FRESH = {"UPBEAT_TTL_MS": "60000", "UPBEAT_STALE_MS": "120000"}
API = "/api/v1.0/"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    found: Samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = LINE.match(line)
        assert match, line
        key = (match[1], frozenset(LABEL.findall(match[2] or "")))
        assert key not in found, line
        found[key] = float(match[3])
    return found


def scrape(stack: Stack) -> Samples:
    answer = stack.ask("/metrics")
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.body.decode())


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum over the series that have these labels."""
    return sum(n for (of, its), n in found.items() if of == name and labels.items() <= set(its))


def requests(found: Samples) -> Counter[tuple[str, str, str]]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for (name, labels), n in found.items():
        if name == "upbeat_requests_total":
            of = dict(labels)
            counted[of["endpoint"], of["status"], of["freshness"]] += int(n)
    return counted


def counters(found: Samples) -> Samples:
    return {key: n for key, n in found.items() if key[0].endswith(("_total", "_count", "_bucket", "_sum"))}


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    one = new_stack(**FRESH, UPBEAT_SITE_METRICS="on")
    one.simulator.script("site.example", [page("/a", 5), page("/b", 6)])
    assert one.rising("site.example").status == 200
    return one


@pytest.fixture
def place(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="metrics-", dir=folder) as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_it_counts_what_was_asked_exactly(stack: Stack, host: str) -> None:
    """By endpoint, status and freshness; a scrape counts itself once it is answered."""
    key = {"X-CB-AK": KEY}
    stack.simulator.script(host, [page("/a", 5)])
    before = scrape(stack)
    first = stack.rising(host)
    tag = first.headers["ETag"]
    for _ in range(7):
        assert stack.rising(host).status == 200
    assert stack.rising(host, headers={"If-None-Match": tag}).status == 304
    assert stack.ask(API + "increasingconcurrents", host=host).status == 401
    assert stack.ask(API + "trends", headers=key, host=host).status == 200
    for _ in range(3):
        assert stack.ask(API + "usual", headers=key, host=host).status == 200
    assert stack.ask(API + "history", headers=key, host=host, step="never").status == 400
    assert stack.ask(API + "hosts", headers=key).status == 200
    assert stack.ask(API + "nothing").status == 404
    assert stack.ask("/healthz", method="HEAD").status == 200
    assert stack.ask("/healthz", method="OPTIONS").status == 204
    assert stack.ask("/").status == 200
    after = scrape(stack)
    new = requests(after) - requests(before)
    kept = new.pop(("increasingconcurrents", "200", "kept"), 0) + new.pop(("increasingconcurrents", "304", "kept"), 0)
    fresh = sum(new.pop(("increasingconcurrents", status, "fresh"), 0) for status in ("200", "304"))
    assert (kept + fresh, kept >= 5) == (8, True)  # each worker writes the body once
    assert new == {
        ("increasingconcurrents", "200", "waited"): 1,
        ("increasingconcurrents", "401", "none"): 1,
        ("trends", "200", "fresh"): 1,
        ("usual", "200", "fresh"): 3,
        ("history", "400", "none"): 1,
        ("hosts", "200", "none"): 1,
        ("other", "404", "none"): 1,
        ("healthz", "200", "none"): 1,
        ("healthz", "204", "none"): 1,
        ("index", "200", "none"): 1,
        ("metrics", "200", "none"): 1,
    }
    for endpoint in ("increasingconcurrents", "usual", "trends"):
        name = "upbeat_request_duration_seconds_count"
        asked = value(after, "upbeat_requests_total", endpoint=endpoint)
        assert value(after, name, endpoint=endpoint) == asked
    for name, n in (("upbeat_refreshes_total", 1), ("upbeat_upstream_responses_total", 1)):
        assert value(after, name) - value(before, name) == n
    assert value(after, "upbeat_wait_duration_seconds_count", outcome="refreshed") > 0
    assert value(after, "upbeat_upstream_received_bytes_total") > value(before, "upbeat_upstream_received_bytes_total")


def test_an_error_counts_as_itself_in_whatever_it_is_wrapped(stack: Stack, host: str) -> None:
    """JSONP tells it with a 200. What is wrong with a time zone only the query of the report says."""
    key = {"X-CB-AK": KEY}
    stack.simulator.script(host, [page("/a", 5)])
    assert stack.rising(host).status == 200
    before = scrape(stack)
    listed = stack.ask(API + "increasingconcurrents", host=host, callback="f")
    history = stack.ask(API + "history", headers=key, host=host, step="never", callback="f")
    hours = stack.ask(API + "hours", headers=key, host=host, tz="Nowhere/Land", callback="f")
    assert [answer.status for answer in (listed, history, hours)] == [200, 200, 200]
    new = requests(scrape(stack)) - requests(before)
    new.pop(("metrics", "200", "none"))
    assert new == {
        ("increasingconcurrents", "401", "none"): 1,
        ("history", "400", "none"): 1,
        ("hours", "400", "none"): 1,
    }


def test_a_503_that_nginx_asks_for_again_counts_once(new_stack: Callable[..., Stack], host: str) -> None:
    """Behind nginx's copies a worker sends the request on to where there are none."""
    stack = new_stack(cached=True, fetchers=0)
    before = scrape(stack)
    assert stack.rising(host).status == 503
    new = requests(scrape(stack)) - requests(before)
    new.pop(("metrics", "200", "none"))
    assert new == {("increasingconcurrents", "503", "none"): 1}


def test_a_wait_for_a_refresh_that_fails_is_told_as_failed(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/a", 5)])
    stack.simulator.fault(host, "maintenance")
    before = scrape(stack)
    assert stack.rising(host).status == 502
    after = scrape(stack)
    ended = {
        outcome: value(after, "upbeat_wait_duration_seconds_count", outcome=outcome)
        - value(before, "upbeat_wait_duration_seconds_count", outcome=outcome)
        for outcome in ("refreshed", "failed", "timed_out")
    }
    assert ended == {"refreshed": 0, "failed": 1, "timed_out": 0}


def test_more_keys_at_once_than_are_checked_are_told_so(new_stack: Callable[..., Stack], host: str) -> None:
    """A fetcher has 64 refreshes of one host at most in hand, and each key that nobody has checked is one."""
    stack = new_stack(**FRESH, UPBEAT_WORKERS="1", fetchers=1)
    stack.simulator.fault(host, "hang")
    keys = [f"{KEY_MARK}-unchecked-{n:02}" for n in range(70)]
    replies = burst(stack.nginx.port, [request(f"{PATH}?host={host}", key) for key in keys])
    told = [reply.status for reply in replies if b"keys of one host, are being asked for" in reply.body]
    assert told == [503] * 6
    assert value(scrape(stack), "upbeat_refreshes_total", outcome="busy") == 6


def test_a_query_that_fails_does_not_make_the_database_away(new_stack: Callable[..., Stack], host: str) -> None:
    stack = new_stack(**FRESH, UPBEAT_SITE_METRICS="on")
    stack.simulator.script(host, [page("/a", 5)])
    assert stack.rising(host).status == 200
    stack.database.rows("alter function service_metrics() rename to service_metrics_gone")

    def is_left_out() -> bool:  # of a busy machine the sites may be late, too, and come with the next scrape
        found = scrape(stack)
        return value(found, "upbeat_site_visitors", host=host) == 5 and value(found, "upbeat_hosts") == 0

    await_true(is_left_out, 20, "the sites without the service")
    assert value(scrape(stack), "upbeat_database_up") == 1
    stack.database.rows("alter function service_metrics_gone() rename to service_metrics")
    await_true(lambda: value(scrape(stack), "upbeat_hosts") >= 1, 15)


def test_a_token_asked_before_makes_no_probe_fail(stack: Stack, host: str) -> None:
    """A worker takes the same room in memory for the next request."""
    stack.simulator.script(host, [page("/a", 5)])
    assert stack.rising(host).status == 200
    token = add_token(stack, host, "--may", "board")
    bearer = {"Authorization": f"Bearer {token}"}
    for endpoint, probe in (("increasingconcurrents", "/readyz"), ("usual", "/metrics")):
        for _ in range(6):
            assert stack.ask(API + endpoint, headers=bearer, host=host).status == 200
            assert stack.ask(probe).status == 200


def test_promtool_takes_it(stack: Stack) -> None:
    text = stack.ask("/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_head_has_no_body_and_others_are_refused(stack: Stack) -> None:
    head = stack.ask("/metrics", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert stack.ask("/metrics", method="POST").status == 405
    for path in ("/metrics/", "/api/v1.0/metrics"):
        assert stack.ask(path).status == 404


def test_what_stands_in_the_database(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/a", 5), page("/b", 7)])
    assert stack.rising(host).status == 200
    await_true(lambda: value(scrape(stack), "upbeat_site_visitors", host=host) == 12, 15)
    found = scrape(stack)
    assert value(found, "upbeat_database_up") == 1
    assert value(found, "upbeat_hosts") == stack.database.value("select count(*) from hosts")
    assert value(found, "upbeat_hosts", state="fresh") >= 1
    assert 0 <= value(found, "upbeat_oldest_fresh_host_age_seconds") < 300
    assert ("upbeat_rollup_lag_seconds", frozenset()) in found
    assert value(found, "upbeat_build_info") == 1
    assert value(found, "upbeat_processes", program="worker") == 4
    assert value(found, "upbeat_processes", program="fetcher") == 2


def test_states_of_hosts_events_deliveries_and_lag(stack: Stack) -> None:
    """By the function itself, which is asked once in 5 s."""
    stack.database.rows("insert into hosts (host, asked_at) values ('idle.example', now() - interval '60 days')")
    stack.database.rows(
        "insert into events (host, page_id, kind, began_at, peak_at, ended_at, path, visitors, expected, score, peak,"
        " peak_expected) select 'site.example', 7, 'rise', now() - n * interval '1 hour', now(),"
        " case when n > 1 then now() end, '/x', 1, 1, 1, 1, 1 from generate_series(1, 30) n"
    )
    stack.database.rows("update history_progress set slot = date_bin('15 minutes', now(), 'epoch') - interval '1 hour'")
    stack.database.rows("insert into channels (name, kind, shown, sealed_address) values ('desk', 'mail', 'd', '')")
    stack.database.rows(
        "insert into outbox (channel_id, created_at, state) select channel_id, now() - n * interval '1 hour',"
        " (case when n % 10 = 0 then 'waiting' else 'delivered' end)::delivery_state"
        " from channels, generate_series(1, 40) n"
    )
    rows = {row[:3]: row[3] for row in stack.database.rows("select * from service_metrics()")}
    stack.database.rows("delete from events; delete from channels; delete from hosts where host = 'idle.example'")
    stack.database.rows("update history_progress set slot = null")
    assert rows["hosts", "left_alone", None] == 1000
    assert rows["events", "rise", "open"] == 1000
    assert rows["events", "rise", "ended"] == 22000
    assert rows["events", "fall", "ended"] == 0
    assert rows["deliveries", "waiting", None] == 4000
    assert rows["deliveries", "delivered", None] == 21000 and rows["deliveries", "given_up", None] == 0
    assert 44.5 * 60000 <= rows["rollup_lag", None, None] <= 60 * 60000


def test_every_name_is_documented(stack: Stack) -> None:
    """fcgi/METRICS.md has the names, kinds and labels that /metrics has, and no others."""
    text = stack.ask("/metrics").body.decode()
    told = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    document = (ROOT / "fcgi" / "METRICS.md").read_text()
    rows = re.findall(r"^\| `(upbeat_\w+)` \| (\w+) \|([^|]*)\|", document, re.MULTILINE)
    assert {name: kind for name, kind, _ in rows} == told
    labels: dict[str, set[str]] = {name: set() for name in told}
    for name, its in samples(text):
        family = name if name in told else re.sub(r"_(bucket|sum|count)$", "", name)
        labels[family] |= {label for label, _ in its} - {"le"}
    described = {name: set(re.findall(r"`(\w+)`", of)) for name, _, of in rows}
    assert {name: described[name] for name, its in labels.items() if its} == {
        name: its for name, its in labels.items() if its
    }


def test_the_rules_name_what_there_is(stack: Stack) -> None:
    rules = ROOT / "fcgi" / "prometheus" / "upbeat-rules.yml"
    told = set(re.findall(r"^# TYPE (\S+)", stack.ask("/metrics").body.decode(), re.MULTILINE))
    expressions = re.findall(r"expr:(.*?)\n        (?:for|labels):", rules.read_text(), re.DOTALL)
    assert len(expressions) == 8
    assert set(re.findall(r"upbeat_\w+", " ".join(expressions))) <= told
    for command in (["check", "rules", str(rules)], ["test", "rules", str(ROOT / "tests/metrics/rules_test.yml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_scrapes_it(stack: Stack, place: Path, host: str) -> None:
    stack.simulator.script(host, [page("/a", 5)])
    assert stack.rising(host).status == 200
    asked = int(value(scrape(stack), "upbeat_requests_total", endpoint="increasingconcurrents"))
    with Prometheus(place, stack.nginx.port) as prometheus:
        rows = await_true(lambda: prometheus.query('up{job="upbeat"} == 1'), 20, "a scrape")
        assert len(rows) == 1
        total = prometheus.query('sum(upbeat_requests_total{endpoint="increasingconcurrents"})')
        assert int(total[0]["value"][1]) == asked
        assert prometheus.query("upbeat_build_info")[0]["metric"]["version"]
        bound = prometheus.query("histogram_quantile(0.9, upbeat_lookup_duration_seconds_bucket)")
        assert 0 < float(bound[0]["value"][1]) <= 5


@pytest.mark.unhurried
def test_no_counter_goes_back_whoever_is_killed(stack: Stack, host: str) -> None:
    """Workers of both pools and fetchers are killed under load: no count is lost, and none of a request that was
    answered is missing."""
    stack.simulator.script(host, [page("/a", 5)])
    assert stack.rising(host).status == 200
    before = scrape(stack)
    last = counters(before)
    with Load(stack, host, clients=3, pause_s=0.003) as load:
        for round_ in range(8):
            load.await_more(20)
            part = (stack.pool, stack.reports, stack.fetchers)[round_ % 3]
            victim = part.pids()[round_ % 2]
            os.kill(victim, signal.SIGKILL)
            await_true(lambda: victim not in part.pids() and part.is_whole(), 10)
            now = counters(scrape(stack))
            back = {key: (n, now.get(key)) for key, n in last.items() if now.get(key, -1) < n}
            assert not back
            last = now
    after = scrape(stack)
    answered = load.count(200)
    counted = value(after, "upbeat_requests_total", endpoint="increasingconcurrents", status="200") - value(
        before, "upbeat_requests_total", endpoint="increasingconcurrents", status="200"
    )
    # A worker may be killed between the count and the answer.
    assert answered <= counted <= answered + 3 * 8
    starts = value(before, "upbeat_process_starts_total") + 8
    await_true(lambda: value(scrape(stack), "upbeat_process_starts_total") >= starts, 10, "the last one's start")
    found = scrape(stack)
    assert value(found, "upbeat_processes", program="worker") == 4
    assert value(found, "upbeat_process_starts_total") == starts


def test_parked_requests_show(new_stack: Callable[..., Stack], host: str) -> None:
    stack = new_stack(**FRESH, simulator={"latency_ms": 1800})
    stack.simulator.script(host, [page("/a", 5)])
    scrape(stack)  # so that the next ones, which must be quick, do not ask the database
    with Load(stack, host, clients=3, pause_s=60):
        names = ("upbeat_waiting_requests", "upbeat_upstream_requests")
        await_true(lambda: (found := scrape(stack)) and [value(found, name) for name in names] == [3, 1], 5)
        await_true(lambda: value(scrape(stack), "upbeat_requests_total", freshness="waited") == 3, 5)
        found = scrape(stack)
    assert value(found, "upbeat_waiting_requests") == 0
    assert value(found, "upbeat_wait_duration_seconds_count", outcome="refreshed") == 3
    assert value(found, "upbeat_wait_duration_seconds_sum") > 3
    assert not any(name == "upbeat_site_visitors" for name, _ in found)  # only on request


@pytest.mark.once
@pytest.mark.unhurried
def test_the_database_away_and_back(new_stack: Callable[..., Stack], folder: Path, host: str) -> None:
    postgres = Postgres(Path(tempfile.mkdtemp(prefix="pg", dir=folder))).make()
    try:
        stack = new_stack(database=postgres.new_database(), **FRESH, UPBEAT_WORKERS="1")
        stack.simulator.script(host, [page("/a", 5)])
        assert stack.rising(host).status == 200
        assert value(scrape(stack), "upbeat_database_up") == 1
        postgres.stop(signal.SIGQUIT)
        found = await_true(lambda: (got := scrape(stack)) and not value(got, "upbeat_database_up") and got, 15)
        assert not any(name in ("upbeat_hosts", "upbeat_events", "upbeat_rollup_lag_seconds") for name, _ in found)
        assert value(found, "upbeat_processes", program="worker") == len(stack.pool.pids() + stack.reports.pids())
        assert "Warning" in stack.rising(host).headers
        assert requests(scrape(stack))["increasingconcurrents", "200", "stale"] == 1
        postgres.start()
        await_true(lambda: value(scrape(stack), "upbeat_database_up") == 1, 15)
        await_true(lambda: value(scrape(stack), "upbeat_database_reconnects_total") >= 1, 15)
    finally:
        postgres.stop(signal.SIGQUIT)


def test_a_folder_that_cannot_be_used_costs_the_sum_alone(
    postgres: Postgres, folder: Path, host: str
) -> None:
    place = Path(tempfile.mkdtemp(prefix="metrics-", dir=folder))
    (place / "metrics").write_text("in the way")
    stack = Stack(place, postgres.new_database(), **FRESH).start()
    try:
        stack.simulator.script(host, [page("/a", 5)])
        assert stack.rising(host).status == 200
        found = scrape(stack)
        assert value(found, "upbeat_processes") == 1  # of the worker that answered
        for part in (stack.pool, stack.reports, stack.fetchers):
            assert part.text().count("counts for itself alone") == 2
    finally:
        stack.stop()


def test_only_this_machine_is_let_in(new_stack: Callable[..., Stack]) -> None:
    said = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    outside = next((one for one in said if ":" not in one), None)
    if outside is None:
        pytest.skip("this machine has no address but the loopback's")
    stack = new_stack(address="0.0.0.0", **FRESH)
    assert stack.ask("/metrics").status == 200
    stack.address = outside
    refused = stack.ask("/metrics")
    assert refused.status == 403
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert b"upbeat_" not in refused.body
    stack.address = "0.0.0.0"


@pytest.mark.once
@pytest.mark.unhurried
def test_fcgi_up_has_all_in_one_sum(place: Path) -> None:
    """As root the programs run as two users."""
    up = Up(place / "state").start().await_ready()
    try:

        def whole() -> Any:
            address = f"{up.url}metrics"
            text = subprocess.run(["curl", "-sf", "--noproxy", "*", address], capture_output=True, text=True).stdout
            found = samples(text)
            wanted = {"worker": 5, "fetcher": 2, "history": 1, "alert": 1}
            return {name: value(found, "upbeat_processes", program=name) for name in wanted} == wanted

        await_true(whole, 10, "all programs in /metrics")
    finally:
        up.stop()
