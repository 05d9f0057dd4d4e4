"""How often the board asks, and what it does where a part of what it asks for can't be had."""

import json
from typing import Any

import pytest

from board.browser import HIDDEN, LATER, Browser
from board.conftest import PAGES, RISES, address, remember
from servers.processes import await_true
from servers.stack import KEY, Stack

# Put in front of the page's own scripts: paths of the service that fail, as window.broken says ({"/hosts": 503}), and
# how often each was asked for.
BROKEN = """window.broken = {};
window.tries = {};
const ask = window.fetch;
window.fetch = (url, ...rest) => {
    const path = /\\/api\\/v1.0(\\/\\w+)/.exec(url)?.[1];
    window.tries[path] = (window.tries[path] || 0) + 1;
    const status = window.broken[path];
    return status ? Promise.resolve(new Response(JSON.stringify({status, detail: window.detail}), {
        status, headers: {"Content-Type": "application/problem+json", "Retry-After": "1"}})) : ask(url, ...rest);
};"""


# Put in front of the page's own scripts: how long it waits, each time; and lists that are good for half an hour.
WAITS = """window.waits = [];
const later = window.setTimeout.bind(window);
window.setTimeout = (f, ms, ...all) => {
    window.waits.push(ms);
    return later(f, ms > 6000 ? 300 : ms, ...all);
};
const fetched = window.fetch;
window.fetch = async (url, ...rest) => {
    const answer = await fetched(url, ...rest);
    if (!String(url).includes("/trends") || answer.status !== 200) return answer;
    const headers = new Headers(answer.headers);
    headers.set("Cache-Control", window.isKept ? "private, no-cache" : "private, max-age=1800");
    return new Response(await answer.text(), {headers});
};"""


def test_it_never_asks_more_often_than_the_service_says(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(script) for script in (BROKEN, WAITS)]
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        for trouble in ("window.isKept = true", "window.isKept = false", "window.broken = {'/trends': 429}"):
            browser.run(f"{trouble}; window.waits = []; window.tries = {{}}")
            browser.await_script("return window.tries['/trends'] > 2", "some refreshes")
            tries, waits = browser.run("return [window.tries['/trends'], window.waits]")
            assert len([ms for ms in waits if ms >= 1800000]) >= tries - 1, (trouble, tries, waits)
    finally:
        for name in names:
            browser.forget_before_load(name)


def test_the_pause_after_an_answer(browser: Browser, stack: Stack) -> None:
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    # {retryAfterS, isRefusal}, failures, the usual pause, and the least and most that is waited, in seconds
    table: list[tuple[dict[str, Any], int, float, float, float]] = [
        ({}, 0, 5, 5, 5.2),
        ({}, 1, 5, 5, 6.25),
        ({"retryAfterS": 1}, 1, 5, 5, 6.25),
        ({"retryAfterS": 60}, 1, 5, 60, 75),
        ({}, 2, 5, 10, 12.5),
        ({}, 30, 5, 30, 37.5),
        ({}, 1, 60, 60, 75),
        ({"isRefusal": True}, 1, 5, 45, 75),
    ]
    made = browser.driver.execute_async_script(
        "const [table, done] = arguments;"
        "import('./js/pace.js').then((m) => done(table.map(([answer, failures, usual]) => [0, 1].map("
        "(random) => m.pauseAfter(answer, failures, 1000 * usual, () => random) / 1000))))",
        table,
    )
    assert made == [list(row[3:]) for row in table]


def test_what_is_said_of_a_refusal_is_text_and_has_no_key_in_it(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(BROKEN), browser.before_load("window.broken = {'/trends': 403};")]
    try:
        for detail, shown in (("<b>no</b> " + "x" * 4000, "<b>no</b> " + "x" * 290), (f"no {KEY}", ""), ([1], "")):
            name = browser.before_load(f"window.detail = {json.dumps(detail)};")
            browser.open(address(stack, host))
            browser.await_state("refused")
            browser.forget_before_load(name)
            assert browser.run("return document.getElementById('ask-detail').textContent") == shown
            assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        for name in names:
            browser.forget_before_load(name)


# Put in front of the page's own scripts: of /trends the whole list fails, which a page's own view asks for.
NO_WHOLE_LIST = """const listed = window.fetch;
window.fetch = (url, ...rest) => (window.isTired && String(url).includes("limit=10000")
    ? Promise.resolve(new Response('{"status":429,"detail":"Too many."}', {status: 429,
        headers: {"Content-Type": "application/problem+json", "Retry-After": "1"}})) : listed(url, ...rest));"""


@pytest.mark.unhurried
def test_a_pages_own_view_keeps_what_it_had_where_the_list_cannot_be_had(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(script) for script in (LATER, NO_WHOLE_LIST, "window.isTired = true;")]
    try:
        browser.open(address(stack, host, "&page=/story-5"))
        await_true(lambda: "can't be had" in browser.text("#page-evidence"), 10, "a word that there is no list")
        browser.run("window.isTired = false; window.skewMs = 11000")
        await_true(lambda: "35 reading now" in browser.text("#page-now"), 10, "its figures")
        browser.run("window.isTired = true; window.asked = performance.getEntriesByType('resource').length")
        browser.run("window.skewMs = 22000")
        refreshes = "return performance.getEntriesByType('resource').length > window.asked + 4"
        browser.await_script(refreshes, "some refreshes")
        assert " = " in browser.text("#page-evidence") and "35 reading now" in browser.text("#page-now")
    finally:
        for name in names:
            browser.forget_before_load(name)


@pytest.mark.unhurried
def test_a_head_on_the_wall_keeps_what_it_had_and_says_how_old_that_is(
    browser: Browser, stack: Stack, host: str
) -> None:
    other = f"other-{host}"
    for one in (host, other):
        remember(stack, one, PAGES, RISES)
        assert stack.rising(one).status == 200
    names = [browser.before_load(script) for script in (LATER, BROKEN)]
    head = f"return document.querySelector('#wall-list [data-host=\"{host}\"]').innerText"
    try:
        browser.open(address(stack, host, "&wall"))
        browser.await_script("return document.querySelectorAll('#wall-list li').length >= 2", "the wall")
        assert "733" in browser.run(head)
        for status, skew_ms, words in ((503, 15000, ("733", "old")), (429, 330000, ("nothing known",)),
                                       (403, 330000, ("not accepted",))):
            browser.run(f"window.broken = {{'/trends': {status}}}; window.skewMs = {skew_ms}")
            browser.run("window.dispatchEvent(new Event('online'))")  # it asks at once
            await_true(lambda: all(word in browser.run(head) for word in words), 40, f"what is known at {status}")
            assert ("733" in browser.run(head)) == ("733" in words)
    finally:
        for name in names:
            browser.forget_before_load(name)


@pytest.mark.unhurried
def test_sites_and_events_that_could_not_be_had_are_asked_for_again(browser: Browser, stack: Stack, host: str) -> None:
    other = f"other-{host}"
    for one in (host, other):
        remember(stack, one, PAGES, RISES)
        assert stack.rising(one).status == 200
    first = "window.broken = {'/hosts': 503, '/events': 404};"
    names = [browser.before_load(script) for script in (LATER, HIDDEN, BROKEN, first)]
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.await_script("return window.tries['/trends'] > 4", "some refreshes")
        tries = browser.run("return window.tries")
        assert tries["/hosts"] <= 2 and tries["/events"] <= 2, tries
        browser.run("window.broken = {}; window.hide(true); window.hide(false)")
        browser.await_script("return document.getElementById('host-choice').checkVisibility()", "the switch")
        before = browser.run("return window.tries['/events']")
        browser.await_script(f"return window.tries['/events'] > {before}", "events at each refresh")
        assert browser.run("return document.getElementById('host-choice').value") == host
        browser.run("window.broken = {'/trends': 503}; location.hash = arguments[0]", f"#host={other}")
        await_true(lambda: browser.text("#host") == other, 5, "the other site")
        assert browser.run("return document.getElementById('host-choice').checkVisibility()")
        assert browser.run("return document.getElementById('host-choice').value") == other
    finally:
        for name in names:
            browser.forget_before_load(name)


@pytest.mark.talks
def test_a_view_whose_file_could_not_be_loaded_is_loaded_later(browser: Browser, stack: Stack, host: str) -> None:
    other = f"other-{host}"
    for one in (host, other):
        remember(stack, one, PAGES, RISES)
        assert stack.rising(one).status == 200
    browser.cdp("Network.enable")
    try:
        browser.cdp("Network.setBlockedURLs", urls=["*/page.js*", "*/wall.js*"])
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.run("document.querySelector('#rows button.spark').click()")
        await_true(lambda: "can't be loaded" in browser.text("#notice"), 5, "a word that the view is not there")
        browser.cdp("Network.setBlockedURLs", urls=["*/wall.js*"])
        browser.await_script("return document.getElementById('page').open", "the page's own view")
        assert browser.text("#notice") == ""
        browser.run("document.getElementById('page-close').click()")
        await_true(lambda: "page=" not in browser.driver.current_url, 5, "the address of the list")
        browser.run("document.getElementById('wall-link').click()")
        browser.await_state("offline")
        browser.cdp("Network.setBlockedURLs", urls=[])
        browser.await_script("return document.querySelectorAll('#wall-list li').length >= 2", "the wall", 20)
        browser.await_state("live")
    finally:
        browser.cdp("Network.setBlockedURLs", urls=[])
