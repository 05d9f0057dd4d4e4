"""What other people's programs send: each kind of input, taken as they mean it or refused in clear words."""

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any, Callable
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from servers.processes import await_true
from servers.stack import KEY, PATH, Answer, Stack, page

API = "/api/v1.0/"
PROBLEM = "application/problem+json"
EXPOSED = {
    "Age", "ETag", "Retry-After", "Warning", "X-Request-Id", "X-RateLimit-Limit", "X-RateLimit-Remaining",
    "X-Snapshot-Interval",
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """As fcgi/up serves: nginx keeps copies. Rows last while a test looks at them."""
    return new_stack(cached=True, UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


def rise(stack: Stack, host: str, pages: list[dict[str, Any]] | None = None) -> None:
    """Two snapshots, of which the second has twice as many visitors."""
    pages = pages or [page("/a", 5, "Café"), page("/b", 3)]
    stack.simulator.script(host, pages)
    assert stack.rising(host).status == 200
    for table in ("cache", "snapshots"):
        stack.database.rows(f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host)
    stack.simulator.script(host, [one | {"visitors": 2 * one["visitors"]} for one in pages])
    await_true(lambda: stack.rising(host).json, 5, "pages that rise")


@pytest.fixture(scope="module")
def site(stack: Stack) -> str:
    """A host with pages, for tests that change nothing."""
    rise(stack, "site.example")
    return "site.example"


def report(stack: Stack, name: str, host: str, query: str) -> Answer:
    """A query as it is."""
    return stack.ask(API + name, headers={"X-CB-AK": KEY}, query=f"host={host}&{query}")


def exposed(answer: Answer) -> set[str]:
    return {word.strip() for word in answer.headers["Access-Control-Expose-Headers"].split(",")}


# Times

MOMENT = datetime(2026, 11, 25, 3, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25T03:00Z",
        "2026-11-25T03:00:00.1234567Z",
        "2026-11-25T03:00:00.123456789Z",
        "2026-11-25T03:00:00.0000000000000000001Z",
        "2026-11-25T03:00:00,5Z",
        "2026-11-25t03:00:00z",
        "2026-11-25T04:00:00+01:00",
        "2026-11-25T04:00:00%2B01:00",
        "2026-11-25T04:00:00%2b0100",
        "2026-11-25T04:00+01",
        "2026-11-24T22:00:00.000-05",
        "2026-11-25T08:45%2B0545",
        "2026-11-25T03:00:00-00:00",
        "2026-11-25%2003:00:00%2B00:00",
        "2026-11-25+03:00:00+UTC",
        "2026-11-25+04:00:00+%2B0100",
        "2026-11-25T04:00%2B01:00%5BEurope/Berlin%5D",
        "1795575600",
        "1795575600.75",
        "1795575600000",
        "1795575600999",
        "1795575600000.5",
    ],
)
@pytest.mark.parametrize("name", ["pages", "history", "hours"])
def test_a_time_in_any_form_of_generated_clients_is_taken(stack: Stack, site: str, text: str, name: str) -> None:
    if name == "pages":
        answer = report(stack, name, site, f"at={text}")
        assert answer.status == 200 and answer.json["at"] == "2026-11-25T03:00:00Z", answer
        return
    before, after = (
        report(stack, name, site, f"from=2026-11-25T02:00Z&to={text}"),
        report(stack, name, site, f"from={text}&to=2026-11-25T05:00Z"),
    )
    assert (before.status, after.status) == (200, 200), (before, after)
    assert before.json["to"][:17] == "2026-11-25T03:00:" and after.json["from"][:16] == "2026-11-25T03:00"


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "not a time"),
        ("now", "not a time"),
        ("2026-11-25T03:00", "offset"),
        ("2026-11-25T03:00:00.5", "offset"),
        ("2026-02-30", "day that there is not"),
        ("2026-13-01T00:00Z", "day that there is not"),
        ("2026-11-25T25:00Z", "time of day"),
        ("2026-11-25T03:00%2B99:00", "offset"),
        ("2026-11-25T03:00:00.Z", "not a time"),
        ("1999-12-31", "2000 to 2099"),
        ("17640864", "2000 to 2099"),
        ("1764086400000000", "2000 to 2099"),
        ("99999999999999999999999999", "2000 to 2099"),
        ("-1764086400", "not a time"),
        ("1.7640864e9", "not a time"),
    ],
)
def test_what_is_no_time_is_refused_with_the_reason(stack: Stack, site: str, text: str, said: str) -> None:
    for name, parameter in (("history", "from"), ("hours", "to"), ("pages", "at")):
        answer = report(stack, name, site, f"{parameter}={text}")
        assert (answer.status, answer.json["parameter"]) == (400, parameter), answer
        assert said in answer.json["detail"]


def test_a_date_is_midnight_in_the_zone_of_the_question(stack: Stack, host: str) -> None:
    rise(stack, host)
    stack.database.rows("update hosts set time_zone = 'Asia/Kathmandu' where host = %s", host)
    for zone, query in (("Asia/Kathmandu", ""), ("America/New_York", "&tz=America/New_York"), ("UTC", "&tz=UTC")):
        expected = datetime(2026, 11, 2, tzinfo=ZoneInfo(zone)).astimezone(timezone.utc)
        text = expected.strftime("%Y-%m-%dT%H:%M:%SZ")
        next_day = (expected + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert report(stack, "pages", host, f"at=2026-11-02{query}").json["at"] == text
        for name in ("history", "hours"):
            answer = report(stack, name, host, f"from=2026-11-02&to=2026-11-03{query}").json
            assert (answer["from"], answer["to"]) == (text, next_day)
        only_to = report(stack, "history", host, f"to=2026-11-02{query}").json
        assert only_to["to"] == text and only_to["from"] < text


def test_dates_that_leave_no_time_are_refused(stack: Stack, site: str) -> None:
    for name in ("history", "hours"):
        answer = report(stack, name, site, "from=2026-11-25&to=2026-11-25")
        assert (answer.status, answer.json["parameter"]) == (400, "from"), answer
    answer = report(stack, "history", site, "from=2020-11-25&to=2026-11-25")
    assert answer.status == 400 and "too many steps" in answer.json["detail"]
    # With the day that a zone is ahead of UTC there is no time between them.
    answer = report(stack, "history", site, "from=2026-11-25T00:00Z&to=2026-11-25&tz=Asia/Tokyo")
    assert answer.status == 400


@pytest.mark.parametrize("name", ["history", "hours", "profile", "usual", "pages"])
def test_a_zone_that_is_none_is_refused_everywhere(stack: Stack, site: str, name: str) -> None:
    answer = report(stack, name, site, "tz=Mars/Olympus")
    assert (answer.status, answer.json["parameter"], answer.json["sent"]) == (400, "tz", "Mars/Olympus")


def test_every_name_of_a_time_zone_is_taken(stack: Stack, site: str) -> None:
    refused = stack.database.rows("select name from pg_timezone_names where not is_time_zone(name)")
    assert refused == []
    for zone in ("EST5EDT", "GB-Eire", "UTC", "Etc/GMT+5", "Etc/GMT-14", "W-SU", "GMT+0", "GMT0", "Europe/Berlin"):
        for text in (quote(zone, safe=""), zone):  # a plus that was not encoded is a space
            answer = report(stack, "hours", site, f"tz={text}")
            assert answer.status == 200 and answer.json["tz"] == zone, answer
    for zone in ("FOO5BAR", "", "EST5EDT4", "Europe/Nowhere"):
        assert report(stack, "hours", site, f"tz={zone}").status == 400


# What is known


def test_a_page_never_seen_is_not_known(stack: Stack, site: str) -> None:
    for name in ("history", "hours", "profile", "usual"):
        for query, known in (("path=/a", True), ("path=/nver", False), ("path=/A", False), ("", True)):
            answer = report(stack, name, site, query)
            assert answer.status == 200 and answer.json["known"] is known, (name, query, answer)
    rows = stack.ask(API + "hosts", headers={"X-CB-AK": KEY}).json["hosts"]
    assert {row["known"] for row in rows if row["host"] == site} == {True}


# Browsers of other sites


@pytest.mark.parametrize(
    "asked",
    [
        "x-cb-ak",
        "x-cb-ak, traceparent",
        "traceparent,tracestate,baggage,sentry-trace,x-datadog-trace-id,x-b3-traceid,newrelic",
        "authorization, x-cb-ak",
        "x-" + "a" * 5000,
        "x-a\x7f; x",
    ],
)
@pytest.mark.parametrize("path", [PATH, API + "trends", "/", API + "nothing", "/nothing"])
def test_a_preflight_passes_whatever_header_an_agent_adds(stack: Stack, asked: str, path: str) -> None:
    headers = {
        "Origin": "https://board.example",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": asked,
    }
    answer = stack.ask(path, method="OPTIONS", headers=headers)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    allowed = {word.strip().lower() for word in answer.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"*", "authorization", "x-cb-ak"} <= allowed
    if re.fullmatch(r"[a-z0-9, -]{1,400}", asked):
        assert {word.strip() for word in asked.split(",")} <= allowed
    assert int(answer.headers["Access-Control-Max-Age"]) >= 600


def test_a_path_that_is_too_long_is_told_so(stack: Stack, site: str) -> None:
    for path, said in (("/" + "x" * 2000, "longer than 2000 bytes"), ("", "is empty")):
        answer = report(stack, "history", site, f"path={path}")
        assert (answer.status, answer.json["parameter"]) == (400, "path") and said in answer.json["detail"]


def test_every_answer_exposes_what_a_page_wants_to_read(stack: Stack, host: str) -> None:
    rise(stack, host)
    good = stack.rising(host)
    etag = good.headers["ETag"]
    answers = [
        good,
        stack.rising(host, format="csv"),
        stack.rising(host, headers={"If-None-Match": etag}),
        stack.ask(),  # 401
        stack.ask("/nothing"),  # 404, of nginx
        stack.ask(API + "nothing"),  # 404, of the worker
        stack.ask(method="POST"),  # 405
        stack.ask(method="TRACE"),  # 405, of nginx
        stack.ask(query="host=" + "a" * 13000),  # 414
        stack.ask(headers={"X-CB-AK": "k" * 13000}),  # 431
        stack.ask(method="POST", headers={"Content-Length": "100000"}),  # 413
        stack.ask("/healthz"),
    ]
    statuses = [answer.status for answer in answers]
    assert statuses == [200, 200, 304, 401, 404, 404, 405, 405, 414, 431, 413, 200]
    for answer in answers:
        assert EXPOSED <= exposed(answer), answer
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["X-Request-Id"]


# JSONP


def called(answer: Answer, name: str) -> Any:
    text = answer.body.decode()
    assert answer.status == 200, answer
    assert answer.headers["Content-Type"].startswith("application/javascript")
    assert text.startswith(f"/**/{name}(") and text.endswith(");\n"), answer
    assert "no-store" in answer.headers["Cache-Control"]
    return json.loads(text[len(name) + 5 : -3])


@pytest.mark.parametrize(
    "query, status, parameter",
    [
        ("", 401, "apikey"),
        ("host=a.example", 401, "apikey"),
        (f"apikey={KEY}", 401, "host"),
        (f"apikey={KEY}&host=a/b", 401, "host"),
        ("host=a.example&apikey=short", 401, "apikey"),
        (f"host=a.example&apikey={KEY}&limit=0", 400, "limit"),
        (f"host=a.example&apikey={KEY}&format=xml", 400, "format"),
        (f"host=a.example&apikey={KEY}&limit=1&limit=2", 400, "limit"),
        (f"host=a.example&apikey={KEY}&x=%zz", 400, "query"),
        (f"host=refused.example&apikey={KEY}-refused", 400, "apikey"),
    ],
)
def test_a_jsonp_call_hears_of_its_error(stack: Stack, query: str, status: int, parameter: str) -> None:
    stack.simulator.script("a.example", [page("/", 1)])
    for name in ("callback", "jsonp"):
        for function in ("cb", "jQuery331_1764", "$.my.f_1"):
            for text in (f"{name}={function}&{query}", f"{query}&{name}={function}"):
                problem = called(stack.ask(query=text), function)
                assert (problem["status"], problem["parameter"]) == (status, parameter)
    plain = stack.ask(query=query)
    assert (plain.status, plain.headers["Content-Type"]) == (status, PROBLEM)


def test_newer_endpoints_tell_scripts_too(stack: Stack, site: str) -> None:
    base = f"host={site}&apikey={KEY}&callback=cb"
    for name, query in (("history", "from=x"), ("hours", "tz=Mars"), ("pages", "at=1"), ("trends", "window=x")):
        assert called(stack.ask(API + name, query=f"{base}&{query}"), "cb")["status"] == 400
    assert called(stack.ask(API + "nothing", query="callback=cb"), "cb")["status"] == 404
    assert called(stack.ask("/nothing", query="callback=a.b"), "a.b")["status"] == 404


@pytest.mark.parametrize(
    "query",
    [
        "callback=alert(1)", "callback=", "callback=1a", "callback=a&jsonp=b", "callback=a&format=csv",
        "callback=" + "a" * 65, "callback=a;b", "callback=a&callback=b", "x=callback%3Da", "xcallback=a",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [PATH, "/nothing"])
def test_what_is_no_good_function_is_never_called(stack: Stack, query: str, path: str) -> None:
    if path == "/nothing" and query in ("callback=a&jsonp=b", "callback=a&callback=b"):
        return  # nginx calls one of them, which is good
    answer = stack.ask(path, query=query)
    assert answer.status in (400, 401, 404) and answer.headers["Content-Type"] == PROBLEM


def test_only_scripts_are_told_with_200(stack: Stack) -> None:
    assert stack.ask(method="POST", query="callback=cb").status == 405
    head = stack.ask(method="HEAD", query="callback=cb")
    assert (head.status, head.body) == (200, b"")


# Accept


@pytest.mark.parametrize(
    "accept, is_csv",
    [
        ("text/csv", True),
        ("text/csv;q=0.1, */*", False),
        ("text/csv;q=0.1, */*;q=0.05", True),
        ("text/csv, */*", True),
        ("text/*", True),
        ("text/*, application/json;q=0.9", True),
        ("text/*;q=0.5, application/json", False),
        ("application/json;q=0, */*", True),
        ("application/*;q=0.2, */*;q=0.3", True),
        ("text/csv;q=0, text/*", False),
        ("text/csv;q=0.4, application/*;q=0.5", False),
        ("*/*;q=0.5, application/json;q=0.4", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", False),
        ("application/json, text/javascript, */*; q=0.01", False),
        ("application/json;charset=utf-8, text/csv;q=0.9", False),
        ('text/csv;x="a,application/json"', False),
        ("text/csv; header=present", True),
        ("TEXT/CSV;Q=0.7", True),
        ("*/*;header=present", False),
        ("application/json;charset=utf-8 ; q = 0.1, */*", True),
        ("*/*", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_accept_chooses_by_weight_and_closeness(stack: Stack, site: str, accept: str, is_csv: bool) -> None:
    for _ in range(2):  # the second may be nginx's copy
        for other in ("*/*", accept):
            answer = stack.rising(site, headers={"Accept": other})
            type_ = answer.headers["Content-Type"].split(";")[0]
            assert type_ == ("text/csv" if is_csv and other == accept else "application/json")


# Parameters


@pytest.mark.parametrize("value", ["{0}={1}&{0}={1}", "{0}={1}&x=1&{0}=other", "{0}&{0}"])
@pytest.mark.parametrize("name", ["host", "apikey", "limit", "callback", "format", "bom", "path", "foo", "window"])
def test_a_doubled_parameter_is_named(stack: Stack, name: str, value: str) -> None:
    query = value.format(name, {"host": "a.example", "apikey": KEY, "limit": "1"}.get(name, "a"))
    rest = {"host": "host=a.example", "apikey": f"apikey={KEY}"}
    query += "".join(f"&{text}" for key, text in rest.items() if key != name)
    answer = stack.ask(query=query)
    assert (answer.status, answer.json["parameter"]) == (400, name), answer
    assert f"{name} is given twice" in answer.json["detail"] and KEY.encode() not in answer.body


def test_a_key_in_the_place_of_a_name_is_not_shown(stack: Stack) -> None:
    answer = stack.ask(query=f"{KEY}&{KEY}")
    assert answer.status == 400 and KEY.encode() not in answer.body and "twice" in answer.json["detail"]


@pytest.mark.parametrize(
    "key, said",
    [
        (None, "is missing"),
        ("", "is missing"),
        ("K3y-5", "5 characters"),
        ("k" * 129, "129 characters"),
        ("leak-me-not 0001", "a space as character 12 of 16"),
        ('"leak-me-not-0001"', "a quotation mark as character 1 of 18"),
        ("leak-me-not.0001", "a punctuation mark as character 12 of 16"),
        ("leak-me-not-0001\t", None),
        ("leak-me-not-000é", "not ASCII as character 16"),
    ],
)
def test_a_401_says_what_is_wrong_with_the_key_and_does_not_show_it(stack: Stack, key: str | None, said: str) -> None:
    headers = {} if key is None else {"X-CB-AK": key.encode()}
    answers = [stack.ask(headers=headers, query="host=a.example")]
    if key:
        answers.append(stack.ask(query=f"host=a.example&apikey={quote(key)}"))
    for answer in answers if said else answers[1:]:
        assert (answer.status, answer.json["parameter"]) == (401, "apikey"), answer
        assert (said or "a tab or line break") in answer.json["detail"]
        assert not key or key.encode() not in answer.body
        assert b"leak" not in answer.body


@pytest.mark.parametrize("path", ["/api/v1.0", "/api/v1.0/", "/"])
def test_the_index_is_where_people_look_for_it(stack: Stack, path: str) -> None:
    answer = stack.ask(path)
    assert answer.status == 200 and PATH in answer.json["endpoints"]


@pytest.mark.parametrize("site", ["video@{}", "VIDEO@{}", "my-app_2.x@{}"])
def test_a_site_id_with_a_name_in_front_is_taken(stack: Stack, host: str, site: str) -> None:
    site = site.format(host)
    stack.simulator.script(site.lower(), [page("/", 1)])
    for text in (quote(site, safe=""), site):
        answer = stack.ask(headers={"X-CB-AK": KEY}, query=f"host={text}")
        assert answer.status == 200, answer
    assert stack.simulator.counts()["hosts"][site.lower()] == 1


NO_SITES = ["@a.example", "a@b@c.example", "a b@c.example", "a@", "a/b@c.example", "u:p@c.example"]


@pytest.mark.parametrize("site", NO_SITES)
def test_what_only_looks_like_one_is_refused(stack: Stack, site: str) -> None:
    answer = stack.ask(headers={"X-CB-AK": KEY}, host=site)
    assert (answer.status, answer.json["parameter"]) == (401, "host")


# CSV


def test_csv_has_a_mark_where_it_is_asked_for_and_a_file_name(stack: Stack, host: str) -> None:
    rise(stack, host)
    plain, marked = stack.rising(host, format="csv"), stack.rising(host, format="csv", bom=1)
    assert marked.body == b"\xef\xbb\xbf" + plain.body and b"Caf\xc3\xa9" in plain.body
    assert stack.rising(host, format="csv", bom=0).body == plain.body
    assert marked.headers["ETag"] != plain.headers["ETag"]
    assert stack.rising(host, bom=1).json == stack.rising(host).json
    assert stack.rising(host, headers={"Accept": "text/csv"}, bom=1).body == marked.body
    head = stack.rising(host, method="HEAD", format="csv", bom=1)
    assert (head.body, head.headers["Content-Length"]) == (b"", str(len(marked.body)))
    for name in ("increasingconcurrents", "history", "hours", "profile", "pages", "trends"):
        answer = report(stack, name, host, "format=csv&bom=1")
        assert answer.status == 200 and answer.body.startswith(b"\xef\xbb\xbf")
        assert answer.body.count(b"\xef\xbb\xbf") == 1
        said = answer.headers["Content-Disposition"]
        file_name = rf'attachment; filename="{re.escape(host)}-{name}-\d{{8}}T\d{{6}}Z\.csv"'
        assert re.fullmatch(file_name, said), said
    assert "Content-Disposition" not in stack.rising(host).headers
    assert report(stack, "history", host, "bom=yes").json["parameter"] == "bom"


# Caches in between


def test_max_age_is_the_whole_lifetime_and_cache_control_is_one_line(stack: Stack, host: str) -> None:
    rise(stack, host)
    stack.database.rows("update cache set taken_at = taken_at - interval '40 s' where host = %s", host)
    # Without, then with nginx's copy, and behind a question for 304.
    first = await_true(lambda: [a for a in [stack.rising(host)] if int(a.headers["Age"]) >= 40], 5, "age")[0]
    answers = [first, *(stack.rising(host) for _ in range(3))]
    answers += [stack.rising(host, headers={"If-None-Match": first.headers["ETag"]})]
    answers += [report(stack, name, host, "") for name in ("trends", "history", "usual")]
    for answer in answers:
        assert len(answer.headers.get_all("Cache-Control")) == 1, answer
        words = dict(word.strip().partition("=")[::2] for word in answer.headers["Cache-Control"].split(","))
        assert words["max-age"] == "60" and "private" in words, answer
        assert 40 <= int(answer.headers["Age"]) <= 50
        assert not {"X-Upbeat-Cache-Control", "X-Accel-Expires"} & set(answer.headers)


def test_errors_have_one_cache_control_line_too(stack: Stack) -> None:
    for answer in (stack.ask(), stack.ask("/nothing"), stack.ask(query="host=a&limit=x")):
        assert answer.headers.get_all("Cache-Control") == ["no-store"]


def test_jquerys_time_makes_no_copy_of_its_own(stack: Stack, host: str) -> None:
    rise(stack, host)
    stack.rising(host)

    def files() -> set[str]:
        """While nginx writes a copy it has a longer name, and after that it is one of these."""
        names = {one.name for one in (stack.folder / "cache").rglob("*") if one.is_file()}
        return set() if any("." in name for name in names) else names

    def copies(queries: list[str]) -> int:
        before = await_true(files, 5, "copies that are whole")
        for query in queries:
            assert stack.ask(headers={"X-CB-AK": KEY}, query=query).status == 200
        return len(await_true(files, 5, "copies that are whole") - before)

    times = [f"{1764086400000 + n}" for n in range(8)]
    assert copies([f"host={host}&limit=7&_={time}" for time in times]) <= 1
    assert copies([f"_={time}&host={host}&limit=8" for time in times]) <= 1
    assert copies([f"host={host}&_={time}&limit=9" for time in times]) <= 1
    assert copies([f"host={host}&limit=1{n}" for n in range(8)]) == 8
    # What only looks like it stays part of the question.
    assert stack.ask(headers={"X-CB-AK": KEY}, query=f"host={host}&limit=1&a_=2").paths == ["/a"]
    assert stack.ask(headers={"X-CB-AK": KEY}, query=f"host={host}&limit=2&_=2").paths == ["/a", "/b"]
