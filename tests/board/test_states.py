"""Each state that the board can be in, in a real browser against the real service."""

import os
import signal
import time

import pytest

from board.browser import LATER, Browser
from board.conftest import PAGES, RISES, address, go_on_rising, remember, script, steady
from servers.processes import allow_s, await_true
from servers.stack import KEY, KEY_MARK, Stack

# Put in front of the page's own scripts: answers that never come, and a server that is tired.
HELD = """window.isHeld = false;
const ask = window.fetch;
window.fetch = (...all) => (window.isHeld ? new Promise(() => {}) : ask(...all));"""
LIMITED = """const ask = window.fetch;
const tired = () => new Response('{"status":429}', {
    status: 429, headers: {"Content-Type": "application/problem+json", "Retry-After": "1"}});
window.fetch = (url, ...rest) => (window.isLimited && String(url).includes("/trends")
    ? Promise.resolve(tired()) : ask(url, ...rest));"""


def test_key_it_asks_for_a_site_and_a_key_once(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    browser.await_state("key")
    browser.shot("key")
    browser.run(
        "document.getElementById('ask-host').value = arguments[0]; document.getElementById('ask-key').value = "
        "arguments[1]",
        f"https://{host}/",
        KEY,
    )
    browser.run("document.querySelector('#ask-form button').click()")
    browser.await_state("live")
    assert KEY_MARK not in browser.driver.current_url and host in browser.driver.current_url
    assert KEY_MARK not in browser.driver.title
    assert KEY_MARK not in browser.run("return document.documentElement.outerHTML")
    assert browser.run("return localStorage.getItem('upbeat-access')") is None
    browser.driver.refresh()
    browser.await_state("live")
    browser.run("document.getElementById('leave').click()")
    browser.await_state("key")
    assert browser.run("return sessionStorage.getItem('upbeat-access')") is None


def test_key_a_screen_keeps_it_where_one_ticks_that(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, key=None))
    browser.await_state("key")
    browser.run(
        "document.getElementById('ask-key').value = arguments[0]; document.getElementById('ask-keep').checked = true",
        KEY,
    )
    browser.run("document.querySelector('#ask-form button').click()")
    browser.await_state("live")
    browser.run("sessionStorage.clear()")
    browser.driver.refresh()
    browser.await_state("live")


def test_key_one_in_the_fragment_is_taken_out_of_the_address_at_once_and_goes_in_the_header_alone(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, "&tab=top"))
    browser.await_state("live")
    assert browser.driver.current_url.endswith(f"#host={host}&tab=top")
    sent = [one for one in browser.requests() if "/api/" in one["url"]]
    assert sent and all(one["headers"].get("X-CB-AK") == KEY for one in sent)
    assert not any(KEY_MARK in one["url"] for one in sent)
    browser.driver.back()
    assert KEY_MARK not in browser.driver.current_url


@pytest.mark.talks
def test_refused(browser: Browser, stack: Stack, host: str) -> None:
    stack.simulator.script(host, PAGES)
    browser.open(address(stack, host, key="nobody-knows-this-key"))
    browser.await_state("refused")
    assert host in browser.text("#ask-why")
    assert browser.text("#ask-detail") == "apikey is refused by Chartbeat for this host"
    browser.shot("refused")
    browser.run("sessionStorage.clear()")
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    browser.await_state("key")
    assert browser.run("return document.getElementById('ask-detail').hidden")


def test_loading(browser: Browser, stack: Stack, host: str) -> None:
    name = browser.before_load("window.fetch = () => new Promise(() => {});")
    try:
        browser.open(address(stack, host))
        browser.await_state("loading")
    finally:
        browser.forget_before_load(name)


def test_warming_it_says_how_many_minutes_are_known_and_shows_the_plain_list(
    browser: Browser, stack: Stack, host: str
) -> None:
    stack.turn(host, PAGES)
    browser.open(address(stack, host))
    browser.await_state("warming")
    go_on_rising(stack, host)
    await_true(lambda: browser.titles() == ["Story number 3", "Story number 7"], 15, "the plain list")
    assert "of 17 minutes known" in browser.text("#notice")
    browser.shot("warming")


def test_live_rows_say_what_rises_since_when_and_why(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    assert browser.titles() == ["Story number 3", "Story number 7"]
    row = browser.text("#rows li")
    for words in ("news", "since ", "social +120", "29 expected", "×", "▲ +120"):
        assert words in row, (words, row)
    link = browser.run("const a = document.querySelector('#rows .title'); return [a.href, a.target, a.rel]")
    assert link == [f"https://{host}/story-3", "_blank", "noopener noreferrer"]
    line = browser.run("return document.querySelector('#rows .spark .line').getAttribute('d')")
    assert line.count("L") == 29 and browser.run(
        "return document.querySelector('#rows .spark .expected').getAttribute('d')"
    )
    assert browser.text("#tab-rising small") == "2" and browser.text("#tab-top small") == "14"
    assert browser.text("#age") == "Live" and browser.text("#notice") == ""
    browser.shot("desk-light")
    browser.prefer(prefers_color_scheme="dark")
    browser.shot("desk-dark")


def test_quiet(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES)
    browser.open(address(stack, host))
    browser.await_state("quiet")
    assert "Nothing rises" in browser.text("#empty")
    browser.shot("quiet")


def test_new_pages_are_marked_and_a_lower_bound_says_at_least(browser: Browser, stack: Stack, host: str) -> None:
    pages = [steady(f"/p{n}", 12 + n) for n in range(100)]
    remember(stack, host, pages)
    script(stack, host, [steady("/new", 300, "Fresh"), *pages[1:]])
    browser.open(address(stack, host))
    browser.await_script("return document.querySelector('#rows .title')?.textContent === 'Fresh'", "the new page", 15)
    row = browser.text("#rows li")
    assert "new" in row and "≥" in row and "at least" in row and "at most" in row
    browser.size(360, 780, 3, True)
    wide = browser.run(
        "return [...document.querySelectorAll('.people > *, .times > *')].filter(n => n.scrollWidth > n.parentElement."
        "clientWidth).map(n => n.innerText)"
    )
    assert not wide, wide
    browser.shot("phone-new")


@pytest.mark.talks
@pytest.mark.unhurried
def test_stale_then_faded_then_unknown_and_never_old_data_as_if_they_were_new(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(LATER), browser.before_load(HELD)]
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        # Chartbeat is away: the service answers from what there is, and says how old that is.
        stack.simulator.fault(host, "status")
        browser.await_state("stale", within_s=16)
        assert "s old" in browser.text("#age") and "old" in browser.text("#notice")
        browser.shot("stale")
        browser.run("window.isHeld = true; window.skewMs = 25000")
        browser.await_script("return document.documentElement.dataset.age === 'faded'", "faded numbers")
        browser.shot("faded")
        browser.run("window.skewMs = 400000")
        browser.await_state("unknown")
        assert "Nothing is known" in browser.text("#notice")
        assert not browser.run("return document.querySelector('#rows').checkVisibility()")
        browser.shot("unknown")
    finally:
        stack.simulator.end_faults(host)
        for name in names:
            browser.forget_before_load(name)


@pytest.mark.talks
def test_offline_is_said_within_ten_seconds_and_it_recovers_by_itself(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    stack.reports.stop()
    began = time.monotonic()
    browser.await_state("offline", within_s=10)
    assert time.monotonic() - began < allow_s(10)
    assert "can't be reached" in browser.text("#notice") and browser.titles()
    assert browser.text("#age") != "Live"
    browser.shot("offline")
    stack.reports.start()
    browser.await_state("live", within_s=20)


@pytest.mark.talks
@pytest.mark.unhurried
def test_a_pool_that_hangs_is_said_within_ten_seconds_too(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    workers = stack.reports.workers()
    try:
        for worker in workers:
            os.kill(worker, signal.SIGSTOP)
        browser.await_state("stale", "offline", within_s=10)
        assert "old" in browser.text("#notice") or "can't be reached" in browser.text("#notice")
        browser.await_state("offline", within_s=5)
    finally:
        for worker in workers:
            os.kill(worker, signal.SIGCONT)
    browser.await_state("live", within_s=20)


@pytest.mark.talks
def test_offline_without_a_network(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    browser.cdp("Network.enable")
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    browser.cdp("Network.emulateNetworkConditions", offline=True, **conditions)
    browser.await_state("offline", within_s=10)
    assert "no network" in browser.text("#notice")
    browser.cdp("Network.emulateNetworkConditions", offline=False, **conditions)
    browser.await_state("live", within_s=10)


def test_limited(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(LIMITED)
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.run("window.isLimited = true")
        browser.await_state("limited")
        assert "Too many requests" in browser.text("#notice") and browser.titles()
        browser.shot("limited")
        browser.run("window.isLimited = false")
        browser.await_state("live")
    finally:
        browser.forget_before_load(name)


EVENTS = """const asked = window.fetch;
const at = (minutes) => new Date(Date.now() - 60000 * minutes).toISOString().slice(0, 19) + "Z";
const one = (id, kind, began, more) => ({id, kind, path: "/story-" + id, i: "Story number " + id, began_at: at(began),
    peak_at: at(began), ended_at: null, visitors: 410, expected: 128, ratio: 3.2, score: 9, peak: 420,
    peak_expected: 128,
    cause: "social", search: 12, social: 260, links: 0, direct: 0, internal: 0, ...more});
window.log = [one(5, "rise", 2, {}), one(4, "headline", 14, {i: "<b>New</b> words", ratio: 1.38, score: 3}),
    one(3, "record", 29, {peak: 1904}), one(2, "outage", 60, {path: null, i: null, ended_at: at(56), cause: null}),
    one(1, "rise", 120, {ended_at: at(68), cause: "search+social"})];
window.fetch = (url, ...rest) => (String(url).includes("/events")
    ? Promise.resolve(new Response(JSON.stringify({host: "x", since: at(1440), until: at(0), events: window.log}),
        {headers: {"Content-Type": "application/json"}})) : asked(url, ...rest));"""


def test_events_are_shown_beside_the_list_and_on_a_wall_one_after_the_other(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(EVENTS)
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.await_script("return document.querySelectorAll('#event-list li').length === 5", "the log")
        said = browser.run("return [...document.querySelectorAll('#event-list li')].map(li => li.innerText)")
        for text, words in zip(
            said,
            (
                ("Story number 5", "rises, 3.3 × expected, by social"),
                ("<b>New</b> words", "headline changed, then +38%"),
                ("Story number 3", "the most ever known, 1,904"),
                ("easurement was out", "for 4 min"),
                ("Story number 1", "rose, 3.3 × expected, by search, social, for 52 mins, peak 420"),
            ),
        ):
            assert all(word in text for word in words), (text, words)
        browser.shot("events")
        browser.run("document.querySelector('#event-list button').click()")
        browser.await_script("return document.getElementById('page').open", "the page's own view")
        browser.size(1920, 1080)
        browser.open(address(stack, host, "&tv"))
        browser.await_state("live")
        browser.await_script("return document.getElementById('ticker').checkVisibility()", "the ticker")
        await_true(lambda: "Story number 5" in browser.text("#ticker"), 60, "its turn")
        browser.shot("tv-events")
    finally:
        browser.forget_before_load(name)
