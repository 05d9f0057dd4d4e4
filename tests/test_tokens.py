"""View tokens: what each may ask for, that they end when they end, and that they stay here."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.processes import await_true
from servers.stack import KEY, PATH, Answer, Stack, page
from servers.tokens import add_token, id_of, run_token, token_of

API = "/api/v1.0/"
MAY = {
    "list": {"increasingconcurrents", "pages"},
    "board": {"increasingconcurrents", "trends", "events", "history", "profile", "usual", "hosts"},
    "box": {"increasingconcurrents"},
    "all": {"increasingconcurrents", "pages", "trends", "events", "history", "hours", "profile", "usual", "hosts"},
}
ENDPOINTS = sorted(MAY["all"])
OF_NO_HOST = {"hosts"}
OTHER = "other.example"


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """Its rows stay fresh while a test looks at them."""
    return new_stack(UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


@pytest.fixture(scope="module")
def copying(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(cached=True, UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="60000")


def fill(stack: Stack, host: str) -> None:
    """Two snapshots, so that 15 pages rise; and again in each that comes after a minute."""
    lists = [[page(f"/{n}", times * n) for n in range(1, 16)] for times in range(1, 200, 4)]
    stack.simulator.script(host, sequence=lists)
    assert stack.rising(host).status == 200
    for table in ("cache", "snapshots"):
        stack.database.rows(f"update {table} set taken_at = taken_at - interval '2 minutes' where host = %s", host)
    await_true(lambda: (answer := stack.rising(host)).status == 200 and answer.json, 5, "the second snapshot")


def asked(stack: Stack, token: str, host: str, endpoint: str = "increasingconcurrents", **more: Any) -> Answer:
    parameters = {} if endpoint in OF_NO_HOST else {"host": host}
    headers = {"X-CB-AK": token} | more.pop("headers", {})
    return stack.ask(API + endpoint, headers=headers, **parameters, **more)


def refused(answer: Answer) -> str:
    """What a refusal says, of a token that is not valid."""
    assert answer.status == 401, answer
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="upbeat", error="invalid_token"'
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.json["detail"]


# --- What it may ask for -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scoped(stack: Stack) -> dict[str, str]:
    fill(stack, "scopes.example")
    fill(stack, OTHER)
    return {may: add_token(stack, "scopes.example", "--may", may) for may in MAY}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("may", MAY)
def test_scopes(stack: Stack, scoped: dict[str, str], may: str, endpoint: str) -> None:
    own = asked(stack, scoped[may], "scopes.example", endpoint)
    other = asked(stack, scoped[may], OTHER, endpoint)
    if endpoint not in MAY[may]:
        assert own.status == other.status == 403
        assert own.json["sent"] == API + endpoint and "endpoint" in own.json["detail"], own
        return
    assert own.status == 200, own
    if endpoint in OF_NO_HOST:
        assert [row["host"] for row in own.json["hosts"]] == ["scopes.example"]
        return
    assert other.status == 403 and other.json["parameter"] == "host", other
    assert other.json["sent"] == OTHER and other.json["bound"] == "scopes.example"


def test_a_token_of_two_hosts(stack: Stack, scoped: dict[str, str]) -> None:
    token = add_token(stack, f"Scopes.Example,{OTHER}", "--may", "board")
    for host in ("scopes.example", OTHER):
        assert asked(stack, token, host).status == 200
    assert len(asked(stack, token, "", "hosts").json["hosts"]) == 2


@pytest.mark.parametrize("where", ["X-CB-AK", "Authorization", "bearer", "apikey", "both"])
def test_it_stands_wherever_a_key_stands(stack: Stack, scoped: dict[str, str], where: str) -> None:
    token = scoped["list"]
    headers = {
        "X-CB-AK": {"X-CB-AK": token},
        "Authorization": {"Authorization": f"Bearer {token}"},
        "bearer": {"authorization": f"bearer  {token}"},
        "apikey": {},
        "both": {"X-CB-AK": token, "Authorization": "Basic dXNlcjpwYXNzd29yZA=="},
    }[where]
    query = {"apikey": token} if where == "apikey" else {}
    answer = stack.ask(headers=headers, host="scopes.example", **query)
    assert answer.status == 200 and len(answer.json) == 15, answer


def test_what_is_no_token_in_authorization_is_no_key(stack: Stack, scoped: dict[str, str]) -> None:
    for value in ("Bearer", "Bearer xyz", f"Bearer {KEY}", f"Basic {scoped['list']}", f"Bearer {scoped['list']} x"):
        answer = stack.ask(headers={"Authorization": value}, host="scopes.example")
        assert answer.status == 401 and answer.json["detail"] == "apikey is missing", answer
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="upbeat"'


def test_limit_and_fields(stack: Stack, scoped: dict[str, str]) -> None:
    host = "scopes.example"
    token = add_token(stack, host, "--limit", "3", "--fields", "path,i")
    rows = asked(stack, token, host).json
    assert [list(row) for row in rows] == [["i", "path"]] * 3
    assert len(asked(stack, token, host, limit=2).json) == 2
    assert len(asked(stack, token, host, limit=9).json) == 3
    assert asked(stack, token, host, format="csv").csv[0] == ["i", "path"]
    assert asked(stack, token, host).headers["X-RateLimit-Limit"] is None
    pages = asked(stack, token, host, "pages").json
    assert "cutoff" not in pages and all(list(row) == ["rank", "i", "path"] for row in pages["pages"])
    whole = asked(stack, scoped["list"], host)
    assert list(whole.json[0]) == ["i", "path", "visitors", "change"] and len(whole.json) == 15
    assert whole.headers["ETag"] != asked(stack, token, host, limit=15).headers["ETag"]


def test_a_limit_is_one_of_pages(stack: Stack, scoped: dict[str, str]) -> None:
    """A curve that breaks off would be none."""
    host = "scopes.example"
    few = add_token(stack, host, "--may", "board", "--limit", "3")
    assert len(asked(stack, few, host).json) == 3
    assert len(asked(stack, few, host, "profile").json["hours"]) == 24
    whole = asked(stack, scoped["board"], host, "history").json
    assert asked(stack, few, host, "history").json.keys() == whole.keys()


def test_a_box_has_no_numbers(stack: Stack, scoped: dict[str, str]) -> None:
    host = "scopes.example"
    answer = asked(stack, scoped["box"], host)
    assert [list(row) for row in answer.json] == [["rank", "i", "path"]] * 10
    assert [row["rank"] for row in answer.json] == list(range(1, 11))
    assert answer.json[0] == {"rank": 1, "i": "Page /15", "path": "/15"}
    assert not {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-Snapshot-Interval"} & set(answer.headers)
    assert asked(stack, scoped["box"], host, format="csv").csv[:2] == [["rank", "i", "path"], ["1", "Page /15", "/15"]]
    assert asked(stack, scoped["box"], host, callback="f").body.startswith(b'/**/f([{"rank":1,')
    assert asked(stack, scoped["box"], host, spark=1).body == answer.body
    narrow = add_token(stack, host, "--may", "box", "--limit", "4")
    assert len(asked(stack, narrow, host).json) == 4


# --- When it ends --------------------------------------------------------------------------------------------


def test_unknown_and_mistyped(stack: Stack, host: str) -> None:
    assert refused(asked(stack, token_of(bytes(20)), host)) == "apikey is a view token that is not known"
    good = token_of(b"t" * 20)
    for token, word in ((good[:-1], "cut off"), (good + "x", "longer"), (good[:9] + "0" + good[10:], "typing error")):
        assert word in refused(asked(stack, token, host))


def test_revoked_at_once(stack: Stack, host: str) -> None:
    fill(stack, host)
    token = add_token(stack, host)
    assert asked(stack, token, host).status == 200
    assert run_token(stack, "revoke", str(id_of(stack, token))).returncode == 0
    assert refused(asked(stack, token, host)) == "apikey is a view token that was revoked"
    assert run_token(stack, "revoke", str(id_of(stack, token))).returncode == 0, "twice is harmless"


def test_expiry(stack: Stack, host: str) -> None:
    fill(stack, host)
    token = add_token(stack, host, "--until", "2090-01-01")
    assert asked(stack, token, host).status == 200
    until = "update access_tokens set valid_until = clock_timestamp() + %s::interval where token_id = %s"
    began = time.monotonic()
    stack.database.rows(until, "0.3 s", id_of(stack, token))
    answer = await_true(lambda: (a := asked(stack, token, host)).status != 200 and a, 3, "the end")
    assert time.monotonic() - began >= 0.29
    assert refused(answer) == "apikey is a view token that has expired"


def test_rotation(stack: Stack, host: str) -> None:
    fill(stack, host)
    old = add_token(stack, host, "--may", "box", "--limit", "2")
    ended = run_token(stack, "rotate", str(id_of(stack, old)), "--overlap", "1h")
    new = ended.stdout.strip()
    assert ended.returncode == 0 and new != old, ended.stderr
    assert asked(stack, old, host).body == asked(stack, new, host).body
    hour = "interval '1 hour'"  # goes by
    moved = f"update access_tokens set valid_until = valid_until - {hour} where valid_until between clock_timestamp()"
    stack.database.rows(f"{moved} and clock_timestamp() + {hour} and token_id = %s", id_of(stack, old))
    assert asked(stack, old, host).status == 401, "the end of the overlap"
    assert len(asked(stack, new, host).json) == 2
    assert run_token(stack, "rotate", str(id_of(stack, old))).returncode == 1, "it has expired"


def test_revoked_under_load(copying: Stack, host: str) -> None:
    """Within five seconds no copy of nginx's is left either."""
    fill(copying, host)
    token = add_token(copying, host)
    last_served: list[float] = []
    stop = threading.Event()

    def ask_on() -> None:
        while not stop.is_set():
            at = time.monotonic()
            if asked(copying, token, host).status == 200:
                last_served.append(at)

    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(ask_on) for _ in range(4)]
        await_true(lambda: len(last_served) > 50, 10, "answers")
        assert run_token(copying, "revoke", str(id_of(copying, token))).returncode == 0
        revoked = time.monotonic()
        await_true(lambda: asked(copying, token, host).status == 401, 5, "a refusal")
        await_true(lambda: time.monotonic() - max(last_served) > 1, 10, "an end")
        stop.set()
        [run.result() for run in runs]
    assert max(last_served) - revoked < 5


def test_copies_are_apart(copying: Stack, host: str) -> None:
    """A copy for one token is none for another, nor for the key, nor for another origin."""
    fill(copying, host)
    box = add_token(copying, host, "--may", "box")
    wide = add_token(copying, host)
    bound = add_token(copying, host, "--origins", "https://a.example,https://b.example")

    def one(number: int) -> None:
        form = number % 7
        if form == 0:
            assert "visitors" not in asked(copying, box, host).json[0]
        elif form == 1:
            assert asked(copying, wide, host).json[0]["visitors"] == 75
        elif form == 2:
            answer = copying.ask(headers={"Authorization": f"Bearer {box}"}, host=host)
            assert "visitors" not in answer.json[0]
        elif form == 3:
            assert copying.rising(host).json[0]["visitors"] == 75
        else:
            origin = ["https://a.example", "https://b.example", "https://evil.example"][form - 4]
            answer = asked(copying, bound, host, headers={"Origin": origin})
            wanted = None if "evil" in origin else origin
            assert answer.headers["Access-Control-Allow-Origin"] == wanted, answer
            assert "Origin" in answer.headers["Vary"] and answer.headers["X-Upbeat-Origin"] is None

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(400)))


# --- Other pages ---------------------------------------------------------------------------------------------


def test_origins(stack: Stack, host: str) -> None:
    fill(stack, host)
    token = add_token(stack, host, "--origins", "https://a.example,http://127.0.0.1:8080")
    for origin, is_allowed in (
        ("https://a.example", True),
        ("http://127.0.0.1:8080", True),
        ("https://a.example.evil", False),
        ("https://A.example", False),
        ("http://a.example", False),
        ("null", False),
        ("https://a.example http://127.0.0.1:8080", False),
        ("", False),
    ):
        answer = asked(stack, token, host, headers={"Origin": origin} if origin else {})
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == (origin if is_allowed else None), origin
        assert "Origin" in answer.headers["Vary"].split(", ")
        query = f"host={host}&apikey={token}"
        asks = {"Origin": origin, "Access-Control-Request-Headers": "x-cb-ak"}
        before = stack.ask(PATH, "OPTIONS", asks, query)
        wanted = origin if is_allowed else None
        assert (before.status, before.headers["Access-Control-Allow-Origin"]) == (204, wanted), origin
    jsonp = asked(stack, token, host, callback="f")
    assert jsonp.body.startswith(b"/**/f({") and b'"status":403' in jsonp.body
    free = asked(stack, add_token(stack, host), host, headers={"Origin": "https://any.example"})
    assert free.headers["Access-Control-Allow-Origin"] == "*" and "Origin" not in free.headers["Vary"].split(", ")


# --- Chartbeat -----------------------------------------------------------------------------------------------


def test_a_token_never_reaches_chartbeat(stack: Stack, host: str) -> None:
    before = stack.simulator.requests()
    for token in (token_of(b"g" * 20), "ubt_", "ubt_" + "a" * 40, "ubt_12345678", token_of(bytes(20))):
        for endpoint in ("increasingconcurrents", "trends"):
            assert asked(stack, token, host, endpoint).status == 401
    assert stack.simulator.requests() == before
    assert stack.database.value("select count(*) from refreshes where host = %s", host) == 0


def test_a_refresh_uses_the_key_of_the_host(new_stack: Callable[..., Stack], host: str) -> None:
    stack = new_stack(UPBEAT_TTL_MS="100", UPBEAT_STALE_MS="100")
    token = add_token(stack, host)
    none = asked(stack, token, host)
    assert none.status == 503 and "No key" in none.json["detail"], none
    stack.turn(host, [page("/a", 1)])
    for visitors in range(2, 5):
        stack.simulator.script(host, [page("/a", visitors)])
        newest = f'"visitors":{visitors},'.encode()
        await_true(lambda: newest in asked(stack, token, host).body, 5, "a refresh")
    assert run_token(stack, "key", "remove", host).returncode == 0
    assert asked(stack, token, host).status == 200, "stale meanwhile"
    stack.database.rows("update cache set taken_at = taken_at - interval '6 minutes' where host = %s", host)
    late = asked(stack, token, host)
    assert late.status == 503 and "No key" in late.json["detail"], late


def test_a_key_is_given_to_a_host_from_the_command_line(stack: Stack, host: str) -> None:
    stack.simulator.script(host, [page("/a", 1)])
    token = add_token(stack, host)
    assert asked(stack, token, host).status == 503
    bad = run_token(stack, "key", "add", host, text="leak-me-not-refused-key\n")
    assert bad.returncode == 1 and "refuses" in bad.stderr and "leak" not in bad.stderr
    for text, word in ((token, "view token"), ("short", "8 to 128"), ("", "8 to 128"), ("x y z x y z", "character")):
        odd = run_token(stack, "key", "add", host, text=text)
        assert odd.returncode == 1 and ("standard input" in odd.stderr), odd.stderr
    good = run_token(stack, "key", "add", host, text=KEY)
    assert good.returncode == 0, good.stderr
    assert asked(stack, token, host).status == 200
    assert run_token(stack, "key", "remove", host).returncode == 0
    assert run_token(stack, "key", "remove", host).returncode == 1


# --- Its use -------------------------------------------------------------------------------------------------


@pytest.mark.unhurried
def test_use_is_counted_without_a_write_by_a_worker(stack: Stack, host: str) -> None:
    fill(stack, host)
    token = add_token(stack, host)
    number = id_of(stack, token)
    assert "last used  -" in run_token(stack, "show", str(number)).stdout
    for _ in range(7):
        asked(stack, token, host)
    assert asked(stack, token, OTHER).status == 403
    counted = "select requests from tokens where id = %s"
    await_true(lambda: stack.database.value(counted, number) == 8, 15, "the use")
    line = next(l for l in run_token(stack, "list").stdout.splitlines() if l.startswith(f"{number} "))
    assert " valid " in line and " 8 " in line and host[:26] in line and "a test" in line


@pytest.mark.parametrize(
    "words",
    [
        ("add",),
        ("add", "--host", "a.example"),
        ("add", "--note", "x"),
        ("add", "--host", "a_b!", "--note", "x"),
        ("add", "--host", "", "--note", "x"),
        ("add", "--host", "a.example,", "--note", "x"),
        ("add", "--host", "a.example", "--note", ""),
        ("add", "--host", "a.example", "--note", "x", "--may", "any"),
        ("add", "--host", "a.example", "--note", "x", "--limit", "0"),
        ("add", "--host", "a.example", "--note", "x", "--fields", "i,rank"),
        ("add", "--host", "a.example", "--note", "x", "--fields", "i", "--may", "all"),
        ("add", "--host", "a.example", "--note", "x", "--origins", "a.example"),
        ("add", "--host", "a.example", "--note", "x", "--origins", "https://a.example/"),
        ("add", "--host", "a.example", "--note", "x", "--origins", "https://a.example:"),
        ("add", "--host", "a.example", "--note", "x", "--until", "2001-01-01"),
        ("add", "--host", "a.example", "--note", "x", "--until", "tomorrow"),
        ("show",),
        ("show", "x"),
        ("revoke", "0"),
        ("rotate", "1", "--overlap", "long"),
        ("key", "add"),
        ("key", "drop", "a.example"),
        ("steal",),
        ("--nonsense",),
        (),
    ],
)
def test_bad_words(stack: Stack, words: tuple[str, ...]) -> None:
    ended = run_token(stack, *words)
    assert ended.returncode == 2 and ended.stderr.startswith(("upbeat-token: ", "/")) and not ended.stdout, ended


def test_words_that_name_nothing(stack: Stack) -> None:
    for words in (("show", "9999"), ("revoke", "9999"), ("rotate", "9999")):
        ended = run_token(stack, *words)
        assert ended.returncode == 1 and "no valid token" in ended.stderr


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    text=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60)
    | st.binary(min_size=20, max_size=20).map(token_of)
)
def test_no_text_behind_the_mark_is_a_server_error_or_reaches_chartbeat(stack: Stack, text: str) -> None:
    token = text if text.startswith("ubt_") else "ubt_" + text
    before = stack.simulator.requests()
    answer = stack.ask(PATH, host="hypothesis.example", apikey=token)
    assert answer.status == 401 and token.encode() not in answer.body, answer
    assert stack.simulator.requests() == before
