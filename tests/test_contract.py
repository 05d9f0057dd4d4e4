"""What a front-end developer relies on: statuses, headers, order, forms of the answer."""

import json
import re
from email.utils import parsedate_to_datetime
from typing import Any, Callable

import pytest

from servers.stack import KEY, PATH, Stack, page

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """Its rows stay fresh while a test looks at them."""
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


def rising(stack: Stack, host: str, before: list[Any], after: list[Any]) -> Any:
    """Rows of the answer after two lists of (path, visitors)."""
    stack.turn(host, [page(path, visitors) for path, visitors in before])
    return stack.turn(host, [page(path, visitors) for path, visitors in after]).json


# The list


def test_the_first_request_stores_host_key_and_snapshot_and_answers_an_empty_list(
    stack: Stack, host: str
) -> None:
    stack.simulator.script(host, [page("/", 10)])
    answer = stack.rising(host)
    assert (answer.status, answer.body) == (200, b"[]\n")
    rows = stack.database.rows
    assert rows("select count(*) from hosts where host = %s", host) == [(1,)]
    assert rows("select verdict from apikey_hosts where host = %s", host) == [("accepted",)]
    assert rows("select path, visitors from snapshot_pages where host = %s", host) == [("/", 10)]


def test_a_row_holds_title_path_visitors_and_change_as_numbers(stack: Stack, host: str) -> None:
    stack.turn(host, [page("/a", 10, "Title")])
    answer = stack.turn(host, [page("/a", 15, "New title")])
    assert answer.json == [{"i": "New title", "path": "/a", "visitors": 15, "change": 5}]
    assert answer.headers["Content-Type"] == "application/json"


def test_only_pages_that_gain_are_listed(stack: Stack, host: str) -> None:
    before = [("/up", 1), ("/same", 5), ("/down", 9), ("/gone", 7)]
    after = [("/up", 2), ("/same", 5), ("/down", 8), ("/new", 100)]
    assert [row["path"] for row in rising(stack, host, before, after)] == ["/up"]


def test_order_is_change_then_visitors_descending_then_path_by_bytes(
    stack: Stack, host: str
) -> None:
    before = [("/b", 10), ("/a", 10), ("/Z", 10), ("/é", 10), ("/big", 100), ("/top", 1)]
    after = [("/b", 13), ("/a", 13), ("/Z", 13), ("/é", 13), ("/big", 103), ("/top", 10)]
    expected = ["/top", "/big", "/%C3%A9", "/Z", "/a", "/b"]
    assert [row["path"] for row in rising(stack, host, before, after)] == expected


def test_a_page_that_comes_back_has_no_history_for_one_snapshot(stack: Stack, host: str) -> None:
    assert rising(stack, host, [("/a", 5), ("/b", 5)], [("/b", 6)])[0]["path"] == "/b"
    back = stack.turn(host, [page("/a", 50), page("/b", 7)])
    assert back.paths == ["/b"]
    assert stack.turn(host, [page("/a", 51), page("/b", 8)]).paths == ["/a", "/b"]


def test_limit_cuts_the_end_of_the_list(stack: Stack, host: str) -> None:
    fill(stack, host)
    whole = stack.rising(host).json
    assert len(whole) == 5
    for limit in (1, 3, 5, 10000):
        assert stack.rising(host, limit=limit).json == whole[:limit]


def fill(stack: Stack, host: str, titles: list[str] | None = None) -> None:
    """Two snapshots although the TTL is long: the first is made older than it is."""
    titles = titles or [f"Title {n}" for n in range(1, 6)]
    pages = [page(f"/{n}", n, title) for n, title in enumerate(titles, 1)]
    stack.simulator.script(host, pages)
    assert stack.rising(host).status == 200
    for table in ("cache", "snapshots"):
        stack.database.rows(
            f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host
        )
    stack.simulator.script(host, [one | {"visitors": 2 * one["visitors"]} for one in pages])
    assert stack.rising(host).status == 200


# Who may ask, and how


@pytest.mark.parametrize(
    "query, parameter, said",
    [
        ("host=a.example", "apikey", "missing"),
        ("host=a.example&apikey=", "apikey", "empty"),
        ("host=a.example&apikey=short", "apikey", "8 to 128"),
        ("host=a.example&apikey=" + "k" * 129, "apikey", "8 to 128"),
        ("host=a.example&apikey=bad%20key%21", "apikey", "a space as character 4 of 8"),
        (f"apikey={KEY}", "host", "missing"),
        (f"apikey={KEY}&host=", "host", "empty"),
        (f"apikey={KEY}&host=a.example:80", "host", "port"),
        (f"apikey={KEY}&host=https://a.example", "host", "scheme"),
        (f"apikey={KEY}&host=a.example/x", "host", "path"),
        (f"apikey={KEY}&host=a_b.example", "host", "character"),
        (f"apikey={KEY}&host=a..example", "host", "label"),
        (f"apikey={KEY}&host=" + "a." * 126 + "aa", "host", "253"),
    ],
)
def test_a_missing_or_malformed_key_or_host_is_401(
    stack: Stack, query: str, parameter: str, said: str
) -> None:
    answer = stack.ask(query=query)
    assert answer.status == 401 and answer.headers["Content-Type"] == PROBLEM
    assert answer.json["parameter"] == parameter and said in answer.json["detail"]
    assert answer.json["status"] == 401 and answer.json["bound"]
    assert b"bad key" not in answer.body and KEY.encode() not in answer.body


@pytest.mark.parametrize(
    "query, parameter",
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("format=xml", "format"),
        ("callback=alert(1)", "callback"),
        ("callback=" + "a" * 65, "callback"),
        ("jsonp=a.", "jsonp"),
        ("callback=a&jsonp=b", "jsonp"),
        ("callback=a&format=csv", "format"),
        ("limit=1&limit=2", "limit"),
        ("x=%zz", "query"),
        ("x=%ff", "query"),
        ("x=%00", "query"),
    ],
)
def test_other_bad_parameters_are_400_and_named(stack: Stack, query: str, parameter: str) -> None:
    answer = stack.ask(query=f"host=a.example&apikey={KEY}&{query}")
    assert (answer.status, answer.json["parameter"]) == (400, parameter), answer
    assert answer.json["bound"]
    if parameter != "query" and query.split("=", 1)[1].isdigit():
        assert answer.json["sent"] == query.split("=", 1)[1]


def test_a_key_that_chartbeat_refuses_is_400_and_asked_for_once(stack: Stack, host: str) -> None:
    key = KEY.replace("0001", "refused")
    for _ in range(3):
        answer = stack.rising(host, key=key)
        assert (answer.status, answer.json["parameter"]) == (400, "apikey")
        assert key.encode() not in answer.body
    assert stack.simulator.counts()["hosts"][host] == 1


def test_a_cached_answer_is_not_served_to_a_key_that_was_not_accepted(
    stack: Stack, host: str
) -> None:
    rising(stack, host, [("/a", 1)], [("/a", 2)])
    other = KEY.replace("0001", "other-host")
    stack.simulator.keys(other, ["elsewhere.example"])
    assert stack.rising(host, key=other).status == 400


def test_the_key_goes_as_header_or_parameter_and_the_header_wins(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/", 1)])
    assert stack.ask(host=host, apikey=KEY).status == 200
    assert stack.rising(host, apikey="not-a-good-key").status == 200


def test_a_host_is_the_same_in_any_case(stack: Stack, host: str) -> None:
    stack.turn(host, [page("/", 1)])
    assert stack.rising(host.upper()).status == 200
    assert stack.database.rows("select host from hosts where lower(host) = %s", host) == [(host,)]


# HTTP


def test_headers_say_how_old_it_is_and_how_long_it_lasts(stack: Stack, host: str) -> None:
    fill(stack, host)
    headers = stack.rising(host).headers
    taken_at = stack.database.value("select taken_at from cache where host = %s", host)
    assert parsedate_to_datetime(headers["Last-Modified"]) == taken_at.replace(microsecond=0)
    assert 0 <= int(headers["Age"]) <= 5
    words = dict(word.strip().partition("=")[::2] for word in headers["Cache-Control"].split(","))
    assert words["max-age"] == "60" and "private" in words
    assert {"stale-while-revalidate", "stale-if-error"} <= set(words)
    assert 119 < float(headers["X-Snapshot-Interval"]) < 130
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert {"Accept", "X-CB-AK"} <= {
        word.strip() for word in ",".join(headers.get_all("Vary")).split(",")
    }
    assert headers["X-RateLimit-Limit"] == "200" and int(headers["X-RateLimit-Remaining"]) < 200
    assert re.fullmatch(r"\d+\.\d{3}-\d+-\d+", headers["X-Request-Id"])


def test_etag_gives_304_until_snapshot_or_parameters_change(stack: Stack, host: str) -> None:
    fill(stack, host)
    etag = stack.rising(host).headers["ETag"]
    for header in (etag, f'"other", {etag}', f"W/{etag}", "*"):
        answer = stack.rising(host, headers={"If-None-Match": header})
        assert (answer.status, answer.body, answer.headers["ETag"]) == (304, b"", etag)
        assert answer.headers["Cache-Control"] and answer.headers["Vary"]
    other = [{"limit": 1}, {"format": "csv"}, {"callback": "f"}]
    etags = {stack.rising(host, **one).headers["ETag"] for one in other} | {etag}
    assert len(etags) == 4
    for one in other:
        assert stack.rising(host, headers={"If-None-Match": etag}, **one).status == 200


def test_head_has_the_headers_of_get_and_no_body(stack: Stack, host: str) -> None:
    fill(stack, host)
    whole, head = stack.rising(host), stack.rising(host, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("ETag", "Content-Type", "Last-Modified"):
        assert head.headers[name] == whole.headers[name]


def test_options_answers_what_a_browser_asks_before_it_sends_the_header(stack: Stack) -> None:
    asked = {"Origin": "https://board.example", "Access-Control-Request-Headers": "x-cb-ak"}
    answer = stack.ask(method="OPTIONS", headers=asked)
    assert answer.status == 204 and answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-CB-AK" in answer.headers["Access-Control-Allow-Headers"]
    assert "GET" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
def test_other_methods_are_405_with_allow(stack: Stack, method: str) -> None:
    answer = stack.ask(method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.headers["Content-Type"] == PROBLEM


@pytest.mark.parametrize("path", ["/nothing", "/api/v1.0/nothing", PATH + "/", "/api/v1.0/x"])
def test_other_addresses_are_404(stack: Stack, path: str) -> None:
    answer = stack.ask(path)
    assert answer.status == 404 and answer.headers["Content-Type"] == PROBLEM
    assert answer.json["status"] == 404


def test_health_ready_and_the_list_of_endpoints(stack: Stack) -> None:
    assert (stack.ask("/healthz").status, stack.ask("/readyz").status) == (200, 200)
    assert PATH in stack.ask("/").json["endpoints"]


# Forms


def test_jsonp_calls_the_function_with_the_same_list(stack: Stack, host: str) -> None:
    fill(stack, host)
    whole = stack.rising(host).json
    for name in ("callback", "jsonp"):
        answer = stack.rising(host, **{name: "upbeat.show_$1"})
        text = answer.body.decode()
        assert text.startswith("/**/upbeat.show_$1([") and text.endswith("]);\n")
        assert json.loads(text[len("/**/upbeat.show_$1(") : -3]) == whole
        assert answer.headers["Content-Type"].startswith("application/javascript")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_csv_by_parameter_or_accept_has_the_same_rows(stack: Stack, host: str) -> None:
    fill(stack, host)
    rows = [[str(value) for value in row.values()] for row in stack.rising(host).json]
    for answer in (
        stack.rising(host, format="csv"),
        stack.rising(host, headers={"Accept": "text/csv"}),
        stack.rising(host, headers={"Accept": "application/json;q=0.5, text/csv"}),
    ):
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert answer.csv == [["i", "path", "visitors", "change"], *rows]
    others = ("*/*", "application/json", "text/csv;q=0", "text/csv;q=0.1, application/json", "text/csv;q=0.1, */*")
    for accept in others:
        assert stack.rising(host, headers={"Accept": accept}).json


def test_csv_is_safe_to_open_in_a_spreadsheet(stack: Stack, host: str) -> None:
    titles = ["=1+1", "+1", "-1", "@sum", "\tx", "a,b", 'say "x"', "two\nlines"]
    fill(stack, host, titles)
    rows = stack.rising(host, format="csv").csv[1:]
    expected = {"'" + title if title[0] in "=+-@\t" else title for title in titles}
    assert {row[0] for row in rows} == expected
