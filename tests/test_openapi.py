"""The description of the endpoints, held against real answers and real refusals."""

import json
import re
from typing import Any, Callable
from urllib.parse import urlencode

import jsonschema
import pytest

from servers.processes import ROOT
from servers.stack import KEY, KEY_MARK, Stack, page

DESCRIPTION = json.loads((ROOT / "lib" / "api" / "openapi.json").read_text(encoding="utf-8"))
API = "/api/v1.0/"
LISTS = [path for path, item in DESCRIPTION["paths"].items() if "parameters" in item["get"]]
ASKED = [(path, {}) for path in DESCRIPTION["paths"]] + [
    (API + "trends", {"direction": "both", "min_score": "0", "min_visitors": "0"}),
    (API + "history", {"path": "/p1", "step": "15m"}),
    (API + "hours", {"path": "/p1", "tz": "Asia/Kathmandu"}),
    (API + "profile", {"path": "/never"}),
    (API + "usual", {"path": "/p1"}),
    (API + "pages", {"at": "2020-01-01T00:00Z"}),
    (API + "events", {"kind": "rise,fall", "open": "true", "since": "2026-01-01"}),
]


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """One host with 40 minutes of history, of which the last two are a rise."""
    one = new_stack(UPBEAT_WORKERS="1", UPBEAT_TTL_MS="60000", UPBEAT_STALE_MS="120000")
    one.simulator.script("site.example", [page(f"/p{n}", 50 + n) for n in range(12)])
    assert one.rising("site.example").status == 200
    one.database.rows(
        "insert into snapshots (host, taken_at, row_limit, page_ids, visitors, sources)"
        " select host, taken_at - n * interval '1 minute', row_limit, page_ids,"
        " pack_counts((select array_agg(case when rank = 1 and n > 2 then 3 else v end)"
        " from unnest(unpack_counts(visitors)) with ordinality u (v, rank))),"
        " sources from snapshots, generate_series(1, 40) n"
    )
    while one.database.value("select roll_up(50)"):
        pass
    one.database.rows(
        "insert into events (host, page_id, kind, began_at, peak_at, path, title, visitors, expected, score, peak,"
        " peak_expected, causes, sources) select host, page_id, kind, now() - interval '1 minute', now(), path, title,"
        " 410, 128, 9.5, 420, 130, '{social}', '{1,260,2,3,4}' from pages, unnest('{rise,headline}'::event_kind[]) kind"
        " where path = '/p1'"
    )
    return one


def schema_of(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}


def check(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema | {"components": DESCRIPTION["components"]}).validate(
        value
    )


def test_it_is_served_and_linked(stack: Stack) -> None:
    answer = stack.ask(API + "openapi.json")
    assert answer.status == 200 and answer.json == DESCRIPTION
    index = stack.ask("/").json
    assert index["openapi"] == API + "openapi.json"
    assert set(index["endpoints"]) == set(DESCRIPTION["paths"])


def test_what_is_new_is_described() -> None:
    """Parameters that every list has, times, whether a page is known, and where the server is."""
    assert DESCRIPTION["servers"][0]["url"]
    for path in LISTS:
        parameters = DESCRIPTION["paths"][path]["get"]["parameters"]
        names = {one.get("$ref", one.get("name", "")).split("/")[-1] for one in parameters}
        assert {"format", "bom", "callback", "limit"} <= names, path
        if {"from", "at"} & names:
            assert "tz" in names, path
    for name in ("History", "Hours", "Profile", "Usual"):
        assert "known" in DESCRIPTION["components"]["schemas"][name]["required"]


def test_it_is_well_formed() -> None:
    assert DESCRIPTION["openapi"].startswith("3.1.")
    for schema in DESCRIPTION["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DESCRIPTION)):
        place: Any = DESCRIPTION
        for part in reference.split("/"):
            place = place[part]
    for path, item in DESCRIPTION["paths"].items():
        assert item["get"]["operationId"] and item["get"]["summary"], path
        assert "200" in item["get"]["responses"]
    cmake = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    assert f"VERSION {DESCRIPTION['info']['version']}" in cmake


@pytest.mark.parametrize("path, more", ASKED)
def test_answers_are_as_described(stack: Stack, path: str, more: dict[str, str]) -> None:
    given = {"host": "site.example"} | more
    answer = stack.ask(path, headers={"X-CB-AK": KEY}, query=urlencode(given))
    responses = DESCRIPTION["paths"][path]["get"]["responses"]
    assert answer.status == 200
    type_ = answer.headers["Content-Type"].split(";")[0]
    schema = responses["200"]["content"][type_]["schema"]
    check(answer.json if type_ == "application/json" else answer.body.decode(), schema)
    if path in (API + "trends", API + "history") and more:
        assert any(answer.json[name] for name in ("pages", "points") if name in answer.json)


FORMS = [
    # what is asked for, its type, how the body starts
    ({"format": "csv"}, "text/csv", b""),
    ({"callback": "show"}, "application/javascript", b"/**/show("),
    ({"jsonp": "show"}, "application/javascript", b"/**/show("),
]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("more, type_, start", FORMS, ids=["csv", "callback", "jsonp"])
def test_other_forms_are_as_described(
    stack: Stack, path: str, more: dict[str, str], type_: str, start: bytes
) -> None:
    """CSV has the members of a row of the first list, in the order of the JSON; JSONP has the JSON."""
    given = {"host": "site.example"} | more
    if path.endswith("trends"):
        given |= {"direction": "both", "min_score": "0", "min_visitors": "0"}
    answer = stack.ask(path, headers={"X-CB-AK": KEY}, query=urlencode(given))
    content = DESCRIPTION["paths"][path]["get"]["responses"]["200"]["content"]
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, type_)
    check(answer.body.decode(), content[type_]["schema"])
    assert answer.body.startswith(start)
    schema = content["application/json"]["schema"]
    if start:
        check(json.loads(answer.body[len(start) : -len(b");\n")]), schema)
        return
    header, *rows = answer.csv
    members = row_members(schema)
    assert set(header) <= members, "a column that is not described"
    assert rows or path.endswith("increasingconcurrents")
    assert all(len(row) == len(header) for row in rows)


def row_members(schema: dict[str, Any]) -> set[str]:
    """Of an item of the first list; of the answer where it has none."""
    schema = schema.get("anyOf", [schema])[0]  # the other one is of a view token
    while "$ref" in schema:
        schema = DESCRIPTION["components"]["schemas"][schema["$ref"].split("/")[-1]]
    if schema["type"] == "array":
        return row_members(schema["items"])
    lists = [one for one in schema["properties"].values() if one.get("type") == "array"]
    is_row = "sections" in schema["properties"] or not lists
    return set(schema["properties"]) if is_row else row_members(lists[0])


def test_refusals_are_as_described(stack: Stack) -> None:
    """A key that Chartbeat does not take; methods; a 304; Chartbeat gone."""
    for path in LISTS:
        responses = DESCRIPTION["paths"][path]["get"]["responses"]
        refused = stack.ask(path, headers={"X-CB-AK": f"{KEY_MARK}-no"}, host="site.example")
        assert refused.status == (400 if path.endswith("increasingconcurrents") else 403), path
        first = stack.ask(path, headers={"X-CB-AK": KEY}, host="site.example")

        def is_known() -> bool:
            """Unless the minute ends in between, up to which a report is by default."""
            asked = stack.ask(path, headers={"X-CB-AK": KEY}, host="site.example")
            known = {"X-CB-AK": KEY, "If-None-Match": asked.headers["ETag"]}
            return stack.ask(path, headers=known, host="site.example").status == 304

        assert is_known() or is_known() or path.endswith("hosts"), path  # whose ages go on
        for name in responses["200"]["headers"]:
            assert name in first.headers or name == "Warning", (path, name)
        post = stack.ask(path, method="POST", headers={"X-CB-AK": KEY}, host="site.example")
        assert post.status == 405
        for answer in (refused, post):
            assert str(answer.status) in responses or answer.status == 405
            check(answer.json, schema_of("Problem"))
    stack.simulator.stop()
    try:
        cold = stack.ask(API + "trends", headers={"X-CB-AK": KEY}, host="cold.example")
        assert str(cold.status) in DESCRIPTION["paths"][API + "trends"]["get"]["responses"]
        assert cold.status in (502, 503, 504) and cold.headers["Retry-After"]
        check(cold.json, schema_of("Problem"))
    finally:
        stack.simulator.start()


@pytest.mark.parametrize("path", [path for path in DESCRIPTION["paths"] if path.startswith(API)])
def test_parameters_are_those_that_are_read(stack: Stack, path: str) -> None:
    """Each described parameter is refused when it is nonsense, but for those that take any text."""
    if path.endswith("openapi.json"):
        return
    responses = DESCRIPTION["paths"][path]["get"]["responses"]
    for parameter in DESCRIPTION["paths"][path]["get"]["parameters"]:
        if "$ref" in parameter:
            parameter = DESCRIPTION["components"]["parameters"][parameter["$ref"].split("/")[-1]]
        if parameter["name"] == "path":
            continue
        given = {"host": "site.example", parameter["name"]: "%" * 101}
        answer = stack.ask(path, headers={"X-CB-AK": KEY}, query=urlencode(given))
        old = path.endswith("increasingconcurrents") and parameter["name"] == "host"
        assert answer.status == (401 if old else 400), (parameter["name"], answer)
        assert answer.json["parameter"] == parameter["name"]
        assert str(answer.status) in responses
        check(answer.json, schema_of("Problem"))
    answer = stack.ask(path, host="site.example")
    assert answer.status == 401 and "401" in responses
    check(answer.json, schema_of("Problem"))


@pytest.mark.parametrize("path", ["/nothing", "/%zz", "/?" + "x" * 13000])
def test_problems_of_nginx_are_as_described(stack: Stack, path: str) -> None:
    answer = stack.ask(path)
    assert answer.status >= 400
    check(answer.json, schema_of("Problem"))
