"""/history, /hours, /profile, /usual, /pages and /hosts over HTTP: forms, parameters, keys, and that the past
is there while Chartbeat is not."""

import time
from datetime import datetime, timedelta, timezone
from typing import Any, Callable
from urllib.parse import urlencode

import pytest

from servers.processes import await_true
from servers.stack import KEY, KEY_MARK, Answer, Stack, page

MINUTE = timedelta(minutes=1)
ALL = ["history", "hours", "profile", "usual", "pages", "hosts"]
OF_A_HOST = ALL[:-1]
LIST = {
    "history": "points",
    "pages": "pages",
    "hosts": "hosts",
    "hours": "hours",
    "profile": "hours",
}


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(UPBEAT_WORKERS="1", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="120000")


def ask(stack: Stack, what: str, key: str = KEY, headers: Any = None, **parameters: Any) -> Answer:
    if what == "hosts":
        parameters.pop("host", None)
    given = urlencode({name.rstrip("_"): value for name, value in parameters.items()})
    return stack.ask(f"/api/v1.0/{what}", headers={"X-CB-AK": key} | (headers or {}), query=given)


def text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def seed(stack: Stack, host: str, start: datetime, minutes: int, full: bool = False) -> None:
    """/a has 10, 11, 12 … and /b is there in every other minute, with 4; both twice a minute."""
    stack.simulator.script(host, [page("/a", 5), page("/b", 4)])
    assert stack.rising(host).status == 200
    ids = dict(stack.database.rows("select path, page_id from pages where host = %s", host))
    for at in range(2 * minutes):
        listed = [("/a", 10 + at // 2)] + (
            [("/b", 4)] if at // 2 % 2 == 0 else [("/c", 3)] if full else []
        )
        listed = [row for row in listed if row[0] in ids]
        stack.database.rows(
            "insert into snapshots (host, taken_at, row_limit, page_ids, visitors)"
            " values (%s, %s, %s, %s::int[], pack_counts(%s))",
            host,
            start + at * timedelta(seconds=30),
            len(listed) if full else 100,
            [ids[path] for path, _ in listed],
            [visitors for _, visitors in listed],
        )


def roll_up(stack: Stack) -> None:
    stack.database.rows("update history_progress set slot = null, host = null")
    while stack.database.value("select roll_up(50)"):
        pass


def some_time_ago(minutes: int) -> datetime:
    """The start of a quarter of an hour."""
    now = datetime.now(timezone.utc) - timedelta(minutes=minutes)
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_history_by_minutes(stack: Stack, host: str, is_rolled_up: bool) -> None:
    start = some_time_ago(60)
    seed(stack, host, start, 20)
    if is_rolled_up:
        roll_up(stack)
    span = {"from_": text(start + 2 * MINUTE), "to": text(start + 6 * MINUTE)}
    a = ask(stack, "history", host=host, path="/a", **span).json
    assert (a["host"], a["path"], a["step_s"]) == (host, "/a", 60)
    assert a["points"] == [
        {"t": text(start + n * MINUTE), "visitors": 10 + n, "low": 10 + n, "high": 10 + n, "suspect": False}
        for n in range(2, 6)
    ]
    b = ask(stack, "history", host=host, path="/b", **span).json["points"]
    assert [(p["visitors"], p["low"], p["high"]) for p in b] == [(4, 4, 4), (None, 0, 0)] * 2
    site = ask(stack, "history", host=host, **span).json
    assert site["path"] is None
    assert [p["visitors"] for p in site["points"]] == [16, 13, 18, 15]
    assert all(p["low"] == p["high"] == p["visitors"] for p in site["points"])
    assert len(ask(stack, "history", host=host, limit=2, **span).json["points"]) == 2
    never = ask(stack, "history", host=host, path="/never", **span).json["points"]
    assert [(p["visitors"], p["low"], p["high"]) for p in never] == [(None, 0, 0)] * 4


def test_history_by_quarters_and_hours(stack: Stack, host: str) -> None:
    start = some_time_ago(150)
    start = start.replace(minute=0)
    seed(stack, host, start, 60)
    roll_up(stack)
    span = {"path": "/b", "from_": text(start), "to": text(start + 60 * MINUTE)}
    quarters = ask(stack, "history", host=host, step="15m", **span).json
    assert quarters["step_s"] == 900
    assert [p["t"] for p in quarters["points"]] == [text(start + n * 15 * MINUTE) for n in range(4)]
    assert [p["visitors"] for p in quarters["points"]] == [4] * 4
    assert [p["low"] for p in quarters["points"]] == [
        2.13,
        1.87,
        2.13,
        1.87,
    ]  # 8 or 7 of 15 minutes
    hours = ask(stack, "history", host=host, step="1h", **span).json["points"]
    assert hours == [{"t": text(start), "visitors": 4, "low": 2, "high": 2, "suspect": False}]
    site = ask(stack, "history", host=host, step="1h", from_=span["from_"], to=span["to"]).json
    assert site["points"][0]["visitors"] == pytest.approx((sum(range(10, 70)) + 30 * 4) / 60)


def test_where_the_visitors_of_a_page_came_from(stack: Stack, host: str) -> None:
    start = some_time_ago(60)
    seed(stack, host, start, 20)
    stack.database.rows(
        "update snapshots set sources = pack_counts(array_fill(0, array[5 * (cardinality(page_ids) - 1)]) ||"
        " array[1, 300, 3, 4, case when extract(second from taken_at) = 0 then 6 else 8 end])"
        " where host = %s and cardinality(page_ids) = 2 and taken_at < %s",
        host,
        start + 4 * MINUTE,
    )
    span = {"path": "/b", "from_": text(start), "to": text(start + 15 * MINUTE)}
    minutes = ask(stack, "history", host=host, sources="1", **span).json["sources"]
    row = {"search": 1, "social": 300, "links": 3, "direct": 4, "internal": 7}
    assert minutes == [{"t": text(start)} | row, {"t": text(start + 2 * MINUTE)} | row]
    quarters = ask(stack, "history", host=host, sources="1", step="15m", **span).json["sources"]
    assert quarters == [{"t": text(start)} | row | {"internal": 6}]  # of the first snapshot of each minute
    assert ask(stack, "history", host=host, sources="1", path="/never").json["sources"] == []
    assert "sources" not in ask(stack, "history", host=host, sources="0", **span).json
    for given in ({"sources": "1"}, {"sources": "yes", "path": "/b"}):
        answer = ask(stack, "history", host=host, **given)
        assert answer.status == 400 and answer.json["parameter"] == "sources"


def test_what_a_full_list_leaves_open(stack: Stack, host: str) -> None:
    start = some_time_ago(60)
    seed(stack, host, start, 6, full=True)
    span = {"from_": text(start), "to": text(start + 2 * MINUTE)}
    b = ask(stack, "history", host=host, path="/b", **span).json["points"]
    assert [(p["visitors"], p["low"], p["high"]) for p in b] == [(4, 4, 4), (None, 0, 11)]
    site = ask(stack, "history", host=host, **span).json["points"]
    assert [(p["visitors"], p["low"], p["high"]) for p in site] == [(14, 14, None), (11, 11, None)]


def test_headlines(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/a", 5, "First"), page("/b", 4, "Other")])
    assert stack.rising(host).status == 200
    stack.database.rows(
        "insert into titles (page_id, since, title)"
        " select page_id, clock_timestamp() + interval '20 s', 'Second <b>' from pages"
        " where host = %s and path = '/a'",
        host,
    )
    to = text(datetime.now(timezone.utc) + timedelta(minutes=2))
    for path in ({"path": "/a"}, {}):
        said = ask(stack, "history", host=host, to=to, **path).json
        assert [(h["path"], h["i"], h["was"]) for h in said["headlines"]] == [
            ("/a", "Second <b>", "First")
        ]
    assert ask(stack, "history", host=host, path="/b", to=to).json["headlines"] == []


@pytest.mark.parametrize("is_rolled_up", [False, True])
def test_the_list_of_a_minute(stack: Stack, host: str, is_rolled_up: bool) -> None:
    start = some_time_ago(75)
    seed(stack, host, start, 20)
    stack.database.rows(
        "delete from snapshots where host = %s and taken_at > %s", host, start + 19.6 * MINUTE
    )
    if is_rolled_up:
        roll_up(stack)
    for minute, at in ((4, "04:00"), (4, "04:59.9"), (5, "05:00"), (19, "19:30"), (19, "40:00")):
        place = start + timedelta(minutes=float(at[:2]), seconds=float(at[3:]))
        said = ask(stack, "pages", host=host, at=place.isoformat()).json
        assert (said["minute"], said["samples"], said["cutoff"]) == (
            text(start + minute * MINUTE),
            2,
            0,
        )
        wanted = [("/a", 10 + minute)] + ([("/b", 4)] if minute % 2 == 0 else [])
        assert [(row["path"], row["visitors"]) for row in said["pages"]] == wanted
        assert [row["rank"] for row in said["pages"]] == [1, 2][: len(wanted)]
        assert said["pages"][0]["i"] == "Page /a"
    none = ask(stack, "pages", host=host, at=text(start - timedelta(days=2))).json
    assert (none["minute"], none["samples"], none["pages"]) == (None, None, [])


def test_hosts_of_the_key(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/", 1)])
    assert stack.rising(host).status == 200
    said = {row["host"]: row for row in ask(stack, "hosts").json["hosts"]}
    row = said[host]
    assert 0 <= row["age_s"] < 60 and row["poll_every_s"] == 60 and row["failures"] == 0
    assert row["next_poll"] and row["last_error"] is None and row["left_alone"] is None
    assert list(said) == sorted(said)
    answer = ask(stack, "hosts", key=f"{KEY_MARK}-other")
    assert answer.status == 403 and answer.json["parameter"] == "apikey"
    assert stack.ask("/api/v1.0/hosts").status == 401
    assert stack.ask("/api/v1.0/hosts", headers={"X-CB-AK": "x"}).status == 401


@pytest.mark.parametrize("what", ALL)
def test_forms(stack: Stack, host: str, what: str) -> None:
    seed(stack, host, some_time_ago(45), 30)
    roll_up(stack)

    def both() -> list[Answer] | None:
        """In the same minute, with which the answers go on."""
        minute = time.time() // 60
        answers = [ask(stack, what, host=host), ask(stack, what, host=host, format="csv")]
        return answers if time.time() // 60 == minute else None

    whole, csv = await_true(both)
    assert whole.status == 200 and whole.headers["Content-Type"] == "application/json"
    assert "max-age" in whole.headers["Cache-Control"]
    assert csv.headers["Content-Type"].startswith("text/csv")
    header, *rows = csv.csv
    items = whole.json[LIST[what]] if what in LIST else [whole.json]
    assert len(rows) == len(items) > 0
    assert header == list(items[0])
    for row, item in zip(rows, items, strict=True):
        for field, (name, value) in zip(row, item.items(), strict=True):
            if name not in ("age_s", "next_poll"):
                if isinstance(value, bool):
                    value = str(value).lower()
                assert field == str("" if value is None else value) or float(field) == value, name
    jsonp = ask(stack, what, host=host, callback="show").body.decode()
    assert jsonp.startswith("/**/show({") and jsonp.endswith("});\n")
    if what in LIST:
        assert len(ask(stack, what, host=host, limit=1).json[LIST[what]]) == 1

    def is_known() -> bool:  # ages and the running minute go on meanwhile
        etag = ask(stack, what, host=host).headers["ETag"]
        return ask(stack, what, host=host, headers={"If-None-Match": etag}).status == 304

    await_true(is_known, 10, "a 304")
    assert ask(stack, what, host=host, headers={"If-None-Match": '"other"'}).status == 200


@pytest.mark.parametrize(
    "what, name, value",
    [
        ("history", "path", ""),
        ("history", "path", "/" + "p" * 2000),
        ("history", "step", "5m"),
        ("history", "from", "yesterday"),
        ("history", "to", "2026-02-30T00:00Z"),
        ("history", "from", "2098-01-01T00:00Z"),
        ("history", "from", "2025-01-01T00:00Z"),
        ("hours", "from", "2005-01-01T00:00Z"),
        ("hours", "tz", "Mars/Olympus"),
        ("hours", "tz", ""),
        ("hours", "tz", "z" * 65),
        ("profile", "tz", "'; drop table pages; --"),
        ("profile", "days", "0"),
        ("profile", "days", "366"),
        ("profile", "days", "-1"),
        ("profile", "days", "x"),
        ("usual", "tz", "FOO5BAR"),
        ("usual", "path", ""),
        ("pages", "at", "12:00"),
        ("hosts", "limit", "0"),
        ("hosts", "format", "xml"),
    ],
)
def test_a_bad_parameter_is_named(stack: Stack, what: str, name: str, value: str) -> None:
    stack.simulator.script("bad.example", [page("/", 1)])
    assert stack.rising("bad.example").status == 200
    answer = ask(stack, what, host="bad.example", **{name: value})
    assert answer.status == 400, answer
    assert answer.json["parameter"] == name and answer.json["bound"]
    assert answer.json["sent"] == value[:100]


@pytest.mark.parametrize("what", OF_A_HOST)
def test_keys(stack: Stack, what: str) -> None:
    assert stack.ask(f"/api/v1.0/{what}", host="any.example").status == 401
    assert ask(stack, what, host="not a host").status == 400
    assert ask(stack, what).status == 400
    stack.simulator.script("keys.example", [page("/", 1)])
    assert ask(stack, what, host="keys.example").status == 200
    answer = ask(stack, what, host="keys.example", key=f"{KEY_MARK}-wrong")
    assert answer.status == 403 and answer.json["parameter"] == "apikey"


def test_the_past_is_there_while_chartbeat_is_not(
    new_stack: Callable[..., Stack], host: str
) -> None:
    stack = new_stack(
        UPBEAT_WORKERS="2", UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="200", UPBEAT_STALE_ERROR_MS="300"
    )
    stack.simulator.script(host, [page("/", 7)])
    assert stack.rising(host).status == 200
    stack.simulator.stop()
    await_true(lambda: stack.rising(host).status != 200, 10, "the newest list is too old")
    for what in ("history", "hours", "profile", "pages"):
        answer = ask(stack, what, host=host)
        assert answer.status == 200 and "Warning" in answer.headers, answer
    assert ask(stack, "history", host=host).json["points"][0]["visitors"] == 7
    assert ask(stack, "hosts").json["hosts"][0]["host"] == host
    assert ask(stack, "history", host=host, key=f"{KEY_MARK}-unknown").status in (502, 503)
    stack.simulator.start()
