"""What counts as an answer, what of it is kept, and which page a row is about: by kinds, and for any rows and bytes."""

import base64
import itertools
import json
import math
import os
import re
from typing import Any, Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.processes import await_true
from servers.stack import KEY, Stack, page

EXAMPLES = int(os.environ.get("UPBEAT_EXAMPLES", "200"))
PROFILE: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "max_examples": EXAMPLES,
    "suppress_health_check": list(HealthCheck),
}
COUNT_MAX = 2**31 - 1
MENDED = "\ufffd"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(
        simulator={"limit_per_minute": 1000000},
        UPBEAT_TTL_MS="60000",
        UPBEAT_STALE_MS="60000",
        UPBEAT_RATE_PER_MINUTE="60000",
    )


def stored(stack: Stack, host: str) -> list[tuple[Any, ...]]:
    """Path, title, visitors of the newest snapshot, by rank."""
    return stack.database.rows(
        "select path, title, visitors from snapshot_pages p where host = %s"
        " and time = (select max(taken_at) from snapshots s where s.host = p.host) order by rank",
        host,
    )


def paths(stack: Stack, host: str) -> dict[str, int]:
    return {path: visitors for path, _, visitors in stored(stack, host)}


def row(path: str, people: Any = 5, title: str = "T") -> dict[str, Any]:
    return {"path": path, "title": title, "stats": {"people": people}}


def say(stack: Stack, host: str, body: bytes) -> None:
    """Chartbeat's next answers, byte by byte."""
    stack.simulator.script(host, body_base64=base64.b64encode(body).decode())


def turn(stack: Stack, host: str, body: bytes) -> None:
    stack.turn(host, body_base64=base64.b64encode(body).decode())


def key_is_accepted(stack: Stack, host: str) -> bool:
    """Read without asking Chartbeat."""
    return bool(stack.database.value("select keys from host_status where host = %s", host))


BROKEN = [
    # name, what stands between the quotes, what is kept of it
    ("half a pair", rb"What a goal \ud83d", f"What a goal {MENDED}"),
    ("the other half", rb"\ude00 What", f"{MENDED} What"),
    ("an escaped NUL", rb"Go\u0000al", f"Go{MENDED}al"),
    ("a raw NUL", b"Go\0al", f"Go{MENDED}al"),
    ("Latin-1", b"caf\xe9 au lait", f"caf{MENDED} au lait"),
    ("an overlong form", b"\xc0\x80x", f"{MENDED}{MENDED}x"),
    ("a pair in UTF-8", b"\xed\xa0\xbdx", f"{MENDED}{MENDED}{MENDED}x"),
    ("cut in a character", "goal 🔥".encode()[:-1], f"goal {MENDED}"),
    ("cut in an escape", rb"goal \ud8", f"goal {MENDED}"),
    ("an escape that is none", rb"C:\Windows", f"C:{MENDED}Windows"),
]


@pytest.mark.parametrize("name, piece, kept", BROKEN, ids=[one[0] for one in BROKEN])
def test_a_broken_character_costs_no_more_than_itself(
    stack: Stack, host: str, name: str, piece: bytes, kept: str
) -> None:
    turn(
        stack,
        host,
        b'{"\\ud83d":1,"%b":2,"pages":[{"path":"/x","title":"%b","stats":{"people":9,"\xff":"%b"},"y":["%b"]},'
        b'{"path":"/%b","title":"T","stats":{"people":7}},{"path":"/y","title":"T","stats":{"people":3}}]}'
        % ((piece,) * 5),
    )
    assert stored(stack, host) == [("/x", kept, 9), ("/y", "T", 3)]
    refused = stack.database.value("select refused_rows from host_status where host = %s", host)
    assert refused == 1
    assert any(
        host in line and "1 with a broken path" in line for line in stack.fetchers.text().splitlines()
    )


NONE_NUMBERS = "NaN Infinity -Infinity 1e999 01 +1 .5 0x10 undefined None True - 1. nan(ind) \ufffd".split()


@pytest.mark.parametrize("number", NONE_NUMBERS)
def test_a_number_that_is_none_costs_its_row_or_nothing(
    stack: Stack, host: str, number: str
) -> None:
    body = (
        '{"x":N,"pages":[{"path":"/a","stats":{"people":9,"search":N,"engaged_time":{"avg":N,"hist":[N,1]}}},'
        '{"path":"/b","stats":{"people":N,"visits":4}},{"path":"/c","stats":{"people":1}}]}'
    )
    turn(stack, host, body.replace("N", number).encode())
    assert paths(stack, host) == {"/a": 9, "/c": 1}


NO_LISTS = [
    '{"status":"error","reason":"maintenance"}',
    '{"pages":null}',
    '{"data":{}}',
    '{"data":{"pages":[]}}',
    '{"pages":{}}',
    '{"pages":{"0":{"path":"/","stats":{"people":1}}}}',
    '{"pages":"none"}',
    '{"error":"maintenance","pages":[]}',
    '{"pages":[{"error":"maintenance"}]}',
    '{"pages":[1,null,"x"]}',
    "{}",
    "null",
    '"x"',
    "0",
    "true",
    "",
    "<!doctype html><h1>Sorry</h1>",
    "OK",
    '{"pages":[]} <!-- served by a proxy -->',
]


@pytest.mark.parametrize("body", NO_LISTS)
def test_200_and_no_list_is_no_answer(stack: Stack, host: str, body: str) -> None:
    stack.turn(host, [page("/a", 1)])
    stack.turn(host, [page("/a", 2)])
    before = stored(stack, host)
    say(stack, host, body.encode())
    stack.outdate(host)
    await_true(lambda: stack.rising(host).headers.get("Warning", "").startswith("111"), 5)
    assert [one["visitors"] for one in stack.rising(host).json] == [2]
    assert stored(stack, host) == before
    failures, error = stack.database.rows(
        "select failures, last_error from host_status where host = %s", host
    )[0]
    assert failures >= 1 and error


@pytest.mark.parametrize("body", NO_LISTS)
def test_no_list_proves_no_key(stack: Stack, host: str, body: str) -> None:
    say(stack, host, body.encode())
    assert stack.rising(host).status in (502, 503)
    assert not key_is_accepted(stack, host)


@pytest.mark.parametrize("body", ["[]", '{"pages":[]}', '{"pages":[],"error":null}', "\ufeff[ ]"])
def test_a_quiet_site_is_an_answer(stack: Stack, host: str, body: str) -> None:
    stack.turn(host, [page("/a", 1)])
    turn(stack, host, body.encode())
    assert stored(stack, host) == []
    assert key_is_accepted(stack, host)


FIREWALLS: list[dict[str, Any]] = [
    {"status": 403, "body": "html"},
    {"status": 401, "body": "html"},
    {"status": 403, "body": "empty"},
    {"status": 403, "body": "text"},
    {"status": 503, "body": "html"},
]


@pytest.mark.parametrize(
    "said", FIREWALLS, ids=[f"{one['status']}-{one['body']}" for one in FIREWALLS]
)
def test_the_word_of_a_firewall_is_not_chartbeats(
    stack: Stack, host: str, said: dict[str, Any]
) -> None:
    stack.turn(host, [page("/a", 1)])
    stack.turn(host, [page("/a", 2)])
    stack.simulator.fault(host, "status", **said)
    stack.outdate(host)
    await_true(lambda: stack.rising(host).headers.get("Warning", "").startswith("111"), 5)
    answer = stack.rising(host)
    assert (answer.status, [one["visitors"] for one in answer.json]) == (200, [2])
    assert key_is_accepted(stack, host)
    stack.simulator.end_faults(host)
    stack.simulator.script(host, [page("/a", 7)])
    await_true(lambda: paths(stack, host) == {"/a": 7} or not stack.rising(host), 10)


LIMITS = [
    ({"Retry-After": "30"}, 30),
    ({"retry-after": "30"}, 30),
    ({"Retry-After": "Fri, 27 Nov 2099 03:00:00 GMT"}, 600),
    ({"X-RateLimit-Remaining": "0"}, 0),
    # The simulator says how many are left too: the smaller number counts.
    ({"x-ratelimit-remaining": " 0 "}, 0),
    ({"RateLimit-Remaining": "0"}, 0),
    ({"X-Rate-Limit-Remaining": "0"}, 0),
]
LIMITS_IDS = ["retry-after", "lower-case", "a-date", "remaining", "twice", "standard", "hyphens"]


@pytest.mark.parametrize("headers, wait_s", LIMITS, ids=LIMITS_IDS)
def test_a_limit_may_be_said_by_403(
    stack: Stack, host: str, headers: dict[str, str], wait_s: int
) -> None:
    stack.turn(host, [page("/a", 1)])
    stack.turn(host, [page("/a", 2)])
    stack.simulator.fault(host, "status", status=403, body="json", headers=headers)
    stack.outdate(host)
    await_true(lambda: stack.rising(host).headers.get("Warning", "").startswith("111"), 5)
    assert key_is_accepted(stack, host)
    waits = stack.database.value(
        "select extract(epoch from next_try - now()) from host_status where host = %s", host
    )
    assert waits > wait_s - 5
    if wait_s:
        asked = len(stack.simulator.requests(host))
        for _ in range(20):
            assert stack.rising(host).status == 200
        assert len(stack.simulator.requests(host)) == asked


@pytest.mark.parametrize("headers, wait_s", LIMITS, ids=LIMITS_IDS)
def test_a_cold_host_hears_of_the_limit(stack: Stack, host: str, headers: dict[str, str], wait_s: int) -> None:
    """The first refusal of a key that was never accepted would be 400."""
    stack.simulator.fault(host, "status", status=403, body="json", headers=headers)
    answer = stack.rising(host)
    assert answer.status in (429, 503), answer
    assert wait_s - 10 <= int(answer.headers["Retry-After"]) <= max(wait_s, 5)


def test_two_sites_in_one_list(stack: Stack, host: str) -> None:
    rows = [
        row(f"{host}/", 500),
        row(f"blog.{host}/", 80),
        row(f"sport.{host}/live", 90),
        row(f"{host}/live", 40),
        row(f"www.{host}/live", 2),
        row("//other.example", 1),
    ]
    turn(stack, host, json.dumps({"pages": rows}).encode())
    assert paths(stack, host) == {
        "/": 500,
        f"blog.{host}/": 80,
        f"sport.{host}/live": 90,
        "/live": 42,
        "other.example/": 1,
    }


def test_names_that_are_no_addresses(stack: Stack, host: str) -> None:
    names = ["home_screen", "article-4711", "sport/live", "news/live", "story.html", "v1.2/notes"]
    turn(stack, host, json.dumps({"pages": [row(name) for name in names]}).encode())
    assert paths(stack, host) == {f"/{name}": 5 for name in names}


def test_every_spelling_is_one_page(stack: Stack, host: str) -> None:
    spellings = ["/café", "/caf%C3%A9", "/caf%c3%a9", f"HTTP://{host.upper()}/café", f"//{host}/caf%C3%a9"]
    spellings += [f"https://{host}:443/caf%C3%A9#top", "/x/../café", "/café?", "/café?utm_source=x&fbclid=1"]
    turn(stack, host, json.dumps({"pages": [row(one) for one in spellings]}).encode())
    assert paths(stack, host) == {"/caf%C3%A9": 5 * len(spellings)}
    for asked in ("/café", "/caf%C3%A9", f"https://{host}/caf%c3%a9#top", f"www.{host}/café"):
        query = urlencode({"host": host, "path": asked, "step": "1m"})
        answer = stack.ask("/api/v1.0/history", headers={"X-CB-AK": KEY}, query=query)
        assert answer.status == 200 and answer.json["path"] == "/caf%C3%A9", asked
    for query in ("path=/caf%C3%A9", "path=/caf%25C3%25A9"):
        answer = stack.ask("/api/v1.0/history", headers={"X-CB-AK": KEY}, query=f"host={host}&{query}")
        assert answer.json["path"] == "/caf%C3%A9", query


def test_routes_anchors_and_tags(stack: Stack, host: str) -> None:
    given_paths = {
        "/#/story/1": "/#/story/1",
        "/live#!/match/2": "/live#!/match/2",
        "/a#top": "/a",
        "/s?utm_source=x": "/s",
        "/t?id=7&gclid=1": "/t?id=7",
    }
    turn(stack, host, json.dumps({"pages": [row(one) for one in given_paths]}).encode())
    assert paths(stack, host) == {path: 5 for path in given_paths.values()}


@pytest.mark.parametrize("limit", [1500, 4000])
def test_a_long_list(new_stack: Callable[..., Stack], host: str, limit: int) -> None:
    """The simulator needs some time to make so long a list, and keeps it then."""
    stack = new_stack(CHARTBEAT_LIMIT=str(limit), UPBEAT_UPSTREAM_TIMEOUT_MS="4000")
    stack.simulator.script(host, [page(f"/{n}", 50000 - n) for n in range(limit)])
    await_true(lambda: stack.rising(host).status == 200, 30)
    assert len(stored(stack, host)) == limit
    assert stack.simulator.requests(host)[0]["query"]["limit"] == str(limit)


def test_which_parameters_are_dropped_is_a_setting(new_stack: Callable[..., Stack], host: str) -> None:
    stack = new_stack(UPBEAT_DROP_PARAMETERS="ref* s")
    stack.simulator.script(host, [page("/a?ref=1&refx=2&s=3&utm_source=x", 5)])
    assert stack.rising(host).status == 200
    assert paths(stack, host) == {"/a?utm_source=x": 5}


# --- Any rows, any bytes ---------------------------------------------------------------------------------------

TEXT = st.text(max_size=12) | st.text(st.characters(whitelist_categories=("Cs",)), max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
COUNTS = st.integers(0, COUNT_MAX) | st.integers(0, 99) | st.floats(0, 1000) | st.integers(0, 99).map(str) | VALUES
PATHS = (
    st.sampled_from(["/", "/a", "/b", "/a%20b", "/a b", "a", "é", "/é", "/%c3%a9", "/c?utm_x=1", "/c"])
    | st.text(st.characters(blacklist_characters="#?%./\\"), max_size=9).map("/{}".format)
    | VALUES.filter(lambda value: not isinstance(value, str))
)
STATS = st.fixed_dictionaries({}, optional={"people": COUNTS, "visits": COUNTS, "search": COUNTS, "x": VALUES})
ROWS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"path": PATHS, "title": TEXT | VALUES, "stats": STATS | VALUES, "sections": VALUES, "y": VALUES}
    )
    | st.fixed_dictionaries({"path": PATHS, "title": TEXT, "stats": STATS})
    | VALUES,
    max_size=8,
)


def mended(text: str) -> str:
    """Pairs are joined; halves and NULs are broken pieces."""
    joined = re.sub(
        "[\ud800-\udbff][\udc00-\udfff]",
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"),
        text,
    )
    return re.sub("[\ud800-\udfff\0]", MENDED, joined)


def is_broken(text: str) -> bool:
    return mended(text).count(MENDED) != text.count(MENDED)


def count_of(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch("[0-9][0-9.eE+-]*", value, re.ASCII):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return math.floor(value + 0.5) if 0 <= value <= COUNT_MAX else None


def identity(path: str) -> str:
    """Of the paths that are made here."""
    path = path if path.startswith("/") else "/" + path
    known = {"/a%20b": "/a%20b", "/%c3%a9": "/%C3%A9", "/c?utm_x=1": "/c"}
    return known.get(path) or quote(path, safe="/!$&'()*+,;=:@[]-_~")


def usable(one: Any) -> tuple[str, str, int] | None:
    """Path, title, count; None: the row is left out."""
    if not isinstance(one, dict) or not isinstance(one.get("path"), str) or is_broken(one["path"]):
        return None
    stats = one.get("stats")
    stats = stats if isinstance(stats, dict) else {}
    people = stats.get("people")
    count = count_of(stats.get("visits") if people is None else people)
    title = mended(one["title"]) if isinstance(one.get("title"), str) else ""
    return None if count is None else (identity(mended(one["path"])), title, count)


def model(rows: list[tuple[str, str, int] | None]) -> list[tuple[str, str, int]]:
    """Rows of one page are added up, with the title of the largest, by rank."""
    pages: dict[str, tuple[str, int, int]] = {}
    for path, title, count in filter(None, rows):
        old_title, largest, total = pages.get(path, (title, count, 0))
        if count > largest:
            old_title, largest = title, count
        pages[path] = old_title, largest, min(total + count, COUNT_MAX)
    found = [(path, title, total) for path, (title, _, total) in pages.items()]
    return sorted(found, key=lambda one: (-one[2], one[0].encode()))


def check(stack: Stack, body: bytes, rows: list[tuple[str, str, int] | None]) -> None:
    host = f"any-{next(numbers)}.example"
    say(stack, host, body)
    answer = stack.rising(host)
    if rows and not any(rows):
        assert answer.status == 502, answer
        assert stored(stack, host) == []
        return
    assert answer.status == 200, answer
    assert stored(stack, host) == model(rows)


@settings(**PROFILE)
@given(ROWS, st.booleans())
def test_every_row_of_any_values_with_a_path_and_a_count_is_kept_and_nothing_else(
    stack: Stack, rows: list[Any], is_ascii: bool
) -> None:
    body = json.dumps({"pages": rows}, ensure_ascii=is_ascii)
    if not is_ascii:
        # Halves of pairs can't be written as characters: they are bytes that are not UTF-8.
        rows = json.loads(body.encode("utf-8", "replace"))
        body = json.dumps({"pages": rows}, ensure_ascii=False)
    check(stack, body.encode(), [usable(one) for one in rows])


PIECES = st.binary(max_size=12).filter(lambda piece: not re.search(rb'["\\#?%./]', piece))


@settings(**PROFILE)
@given(st.lists(st.tuples(PIECES, PIECES, PIECES), min_size=1, max_size=6))
def test_any_bytes_in_place_of_any_string(stack: Stack, texts: list[tuple[bytes, bytes, bytes]]) -> None:
    rows, expected = [], []
    for path, title, unread in texts:
        rows.append(
            b'{"%b":"%b","path":"/%b","title":"%b","z":["%b"],"stats":{"people":7,"%b":"%b"}}'
            % (unread, unread, path, title, unread, unread, unread)
        )
        kept = title.decode("utf-8", "replace").replace("\0", MENDED)
        try:
            text = path.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        expected.append(None if "\0" in text else (identity("/" + text), kept, 7))
    check(stack, b'{"pages":[%b]}' % b",".join(rows), expected)
