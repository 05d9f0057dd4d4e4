"""What the board makes of strange answers, wrong clocks, hidden tabs, huge figures and changes of key or version."""

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from board.browser import HIDDEN, LATER, Browser
from board.conftest import PAGES, RISES, address, go_on_rising, remember, steady
from servers.processes import await_true
from servers.stack import KEY, KEY_MARK, Stack

# Put in front of the page's own scripts: an answer in place of the service's, {status, type, body}.
STRANGE = """const ask = window.fetch;
window.fetch = (url, ...rest) => {
    const strange = window.strange;
    return strange && String(url).includes("/api/")
        ? Promise.resolve(new Response(strange.body, {status: strange.status, headers: {"Content-Type": strange.type}}))
        : ask(url, ...rest);
};
window.failed = [];
addEventListener("unhandledrejection", (event) => window.failed.push(String(event.reason)));
addEventListener("error", (event) => window.failed.push(event.message));"""
ANSWERS = [
    (200, "text/html", "<h1>Sign in to the hotel's network</h1>"),
    (200, "application/json", "null"),
    (200, "application/json", "{}"),
    (200, "application/json", '{"pages":[],'),
    (401, "text/html", "401 Authorization Required"),
    (503, "application/problem+json", '{"status":503}'),
]


@pytest.mark.unhurried
def test_an_answer_that_says_nothing_is_no_answer(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(STRANGE)
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        titles = browser.titles()
        for status, kind, body in ANSWERS:
            strange = json.dumps({"status": status, "type": kind, "body": body})
            browser.run(f"window.strange = {strange}")
            browser.await_state("offline", within_s=8)
            assert browser.titles() == titles
            browser.run("window.strange = null")
            browser.await_state("live", within_s=8)
        assert browser.run("return window.failed") == []
    finally:
        browser.forget_before_load(name)


HUGE = """const ask = window.fetch;
window.fetch = async (url, ...rest) => {
    const answer = await ask(url, ...rest);
    if (!String(url).includes("/trends") || answer.status !== 200) return answer;
    const body = await answer.json();
    body.site.visitors = 12345678;
    body.pages.forEach((page, i) => Object.assign(page, [
        {visitors: 1000000, expected: 1, ratio: 1000000, lower_bound: true},
        {visitors: 123456.7, expected: 0, ratio: null}][i] || {}));
    return new Response(JSON.stringify(body), {headers: answer.headers});
};"""
# Figures that stand in their neighbour.
OVERLAPS = """return [...document.querySelectorAll("#rows li")].flatMap((li) => {
    const right = (selector) => li.querySelector(selector).getBoundingClientRect().right;
    const left = (selector) => {
        const range = document.createRange();
        range.selectNodeContents(li.querySelector(selector));
        return range.getBoundingClientRect().left;
    };
    return [left(".people strong") >= right(".spark") - 1, left(".times strong") >= right(".people") - 1,
        left(".times small") >= right(".people") - 1];
}).filter((isFree) => !isFree).length + (document.documentElement.scrollWidth > innerWidth ? 1 : 0)"""


def test_huge_figures_stay_in_their_columns(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(HUGE)
    try:
        for width, height, more in ((1280, 900, ""), (360, 780, ""), (1920, 1080, "&tv")):
            browser.size(width, height)
            browser.open(address(stack, host, more))
            browser.await_state("live")
            await_true(lambda: "1,000,000" in browser.text("#rows"), 5, "huge figures")
            assert browser.run(OVERLAPS) == 0, width
    finally:
        browser.forget_before_load(name)


def test_a_path_with_quotes_has_an_address_and_a_view(browser: Browser, stack: Stack, host: str) -> None:
    path = "/it%27s-%22quoted%22/&page=x;%23?a=%3Cb%3E&c='d'"
    remember(stack, host, [*PAGES, steady(path, 50, "Quoted")], {path: 300})
    browser.open(address(stack, host))
    browser.await_state("live")
    stored = browser.run("return document.querySelector('#rows li').dataset.path")
    browser.run("document.querySelector('#rows button.spark').click()")
    shown = "const d = document.getElementById('page'); return d.open && d.querySelector('h2').innerText === 'Quoted'"
    browser.await_script(shown, "the page's own view")
    browser.driver.refresh()
    browser.await_script(shown, "the page's own view by its address")
    link = browser.run("return document.querySelector('#page-title a').href")
    assert link.startswith(f"https://{host}/it") and browser.run("return document.getElementById('page').open")
    assert stored.startswith("/it")

    def asked_for_its_past() -> bool:
        return any("/history" in one["url"] and "path=" in one["url"] for one in browser.requests())

    await_true(asked_for_its_past, 10, "a request for its past")


def test_a_clock_that_is_wrong_by_hours_changes_nothing(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    for hours in (-7, 30):
        shifted = """const Real = Date;
window.Date = class extends Real {
    constructor(...all) { super(...(all.length ? all : [Real.now() + %d])); }
    static now() { return Real.now() + %d; }
};""" % (hours * 3600000, hours * 3600000)
        name = browser.before_load(shifted)
        try:
            browser.open(address(stack, host, "&page=/story-3"))
            browser.await_state("live")
            assert browser.text("#age") == "Live"
            browser.await_script("return document.getElementById('chart').ariaLabel?.includes('from 2')", "the chart")
        finally:
            browser.forget_before_load(name)


@pytest.mark.unhurried
def test_a_hidden_tab_asks_nothing_and_says_first_how_old_it_is(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(HIDDEN), browser.before_load(LATER)]
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.run("window.hide(true)")
        await_true(lambda: quiet(browser), 20, "that it asks no more")
        state, age = browser.run(  # at once: it is offline as soon as it has asked twice
            "window.skewMs = 60000; window.isMute = true; window.hide(false);"
            "return [document.documentElement.dataset.state, document.getElementById('age').textContent]"
        )
        assert state == "stale" and "old" in age
        browser.run("window.isMute = false")
        browser.await_state("live")
    finally:
        for name in names:
            browser.forget_before_load(name)


def quiet(browser: Browser) -> bool:
    """Nothing was asked for longer than the time between two refreshes."""
    before = browser.run("return window.asked")
    browser.driver.execute_async_script("setTimeout(arguments[0], 2500)")
    return bool(browser.run("return window.asked") == before)


@pytest.mark.talks
def test_another_key_in_the_address_is_taken_at_once(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, key="nobody-knows-this-key"))
    browser.await_state("refused")
    browser.run("location.hash = arguments[0]", f"#host={host}&key={KEY}&tab=top")
    browser.await_state("live")
    assert KEY_MARK not in browser.driver.current_url and browser.driver.current_url.endswith("&tab=top")
    assert browser.run("return document.getElementById('ask').hidden")


def test_a_browser_without_storage_has_a_board_until_it_is_loaded_anew(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(
        "for (const name of ['sessionStorage', 'localStorage']) Object.defineProperty(window, name,"
        " {get() { throw new DOMException('denied', 'SecurityError'); }});"
    )
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.run("document.getElementById('leave').click()")
        browser.await_state("key")
        browser.driver.refresh()
        browser.await_state("key")
        browser.run("document.getElementById('ask-host').value = arguments[0]", host)
        browser.run("document.getElementById('ask-key').value = arguments[0]", KEY)
        browser.run("document.querySelector('#ask-form button').click()")
        browser.await_state("live")
    finally:
        browser.forget_before_load(name)


def test_a_pages_own_view_of_a_site_of_which_little_is_known(browser: Browser, stack: Stack, host: str) -> None:
    stack.turn(host, PAGES)
    browser.open(address(stack, host, "&page=/story-3"))
    browser.await_state("warming")
    go_on_rising(stack, host)
    await_true(lambda: "Story number 3" in browser.titles(), 15, "the plain list")
    await_true(lambda: "Too little is known" in browser.text("#page-evidence"), 10, "a word that little is known")


# The board's files are looked at every three tenths of a second, and have another tag where window.tag says so; after
# window.left looks the board is away. What it waits for an answer stays as it is, and so does the time between turns.
UPDATED = """const every = window.setInterval.bind(window), later = window.setTimeout.bind(window);
window.setInterval = (f, ms, ...all) => every(f, ms === 300000 ? 300 : ms, ...all);
window.setTimeout = (f, ms, ...all) => later(f, ms === 5000 || ms > 6000 ? ms / 100 : ms, ...all);
window.looks = 0;
window.left = Infinity;
const ask = window.fetch;
window.fetch = (url, init, ...all) => {
    if (!init || init.method !== "HEAD" || !String(url).includes("/board/")) return ask(url, init, ...all);
    if (String(url).endsWith("/board/")) {
        window.looks++;
        if (window.left-- <= 0) return Promise.resolve(new Response("away", {status: 502}));
    }
    return Promise.resolve(new Response(null, {headers: {ETag: window.tag || "old"}}));
};"""


@pytest.mark.parametrize("more", ["", "&tv"])
def test_a_new_version_is_loaded_and_neither_host_nor_key_are_lost(
    browser: Browser, stack: Stack, host: str, more: str
) -> None:
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(UPDATED), browser.before_load(HIDDEN)]
    try:
        browser.open(address(stack, host, more))
        browser.await_state("live")
        browser.run("window.isThatOfBefore = true")
        browser.await_script("return window.looks > 3", "some looks at files that are the same")
        assert browser.run("return window.isThatOfBefore")
        browser.run("window.tag = 'new'; window.looks = 0; window.left = arguments[0]", 1 if more else 99)
        if not more:
            await_true(lambda: "new version" in browser.text("#notice"), 10, "a word")
            browser.run("window.isMute = true")
            browser.await_state("offline")
            assert "can't be reached" in browser.text("#notice")
            browser.run("window.isMute = false")
            browser.await_state("live")
            assert "new version" in browser.text("#notice"), "it is said again once there is nothing worse to say"
            assert browser.run("return window.isThatOfBefore")
            browser.run("window.looks = window.left = 0; window.hide(true)")
        browser.await_script("return window.left < 0", "a look whether the board is there")
        assert browser.run("return window.isThatOfBefore"), "no error page in its place"
        browser.run("window.left = 99")
        if not more:
            browser.run("window.hide(false); window.hide(true)")
        browser.await_script("return !window.isThatOfBefore", "the new version")
        browser.await_state("live")
        assert host in browser.driver.current_url and browser.titles()
        assert browser.run("return document.documentElement.hasAttribute('data-tv')") == bool(more)
    finally:
        for name in names:
            browser.forget_before_load(name)


# An own list of events, as the service would have it: what began since the time that is asked for.
LOG = """const ask = window.fetch;
const at = (minutes) => new Date(Date.now() - 60000 * minutes).toISOString().slice(0, 19) + "Z";
window.one = (id, kind, began, more) => ({id, kind, path: "/story-" + id, i: "Story number " + id, began_at: at(began),
    peak_at: at(began), ended_at: null, visitors: 410, expected: 128, ratio: 3.2, score: 9, peak: 420,
    peak_expected: 128, cause: "social", search: 12, social: 260, links: 0, direct: 0, internal: 0, ...more});
window.log = [];
window.fetch = (url, ...rest) => {
    if (!String(url).includes("/events")) return ask(url, ...rest);
    const since = new URL(url).searchParams.get("since");
    const events = window.log.filter((event) => !since || event.began_at >= since.slice(0, 19) + "Z")
        .sort((a, b) => (a.began_at < b.began_at ? 1 : -1));
    return Promise.resolve(new Response(JSON.stringify({host: "x", since: at(1440), until: at(0), events}), {
        headers: {"Content-Type": "application/json", Date: new Date().toUTCString()}}));
};"""
WORDS = "return [...document.querySelectorAll('#event-list li')].map(li => li.innerText)"


def test_an_event_that_is_told_late_is_shown_and_a_long_headline_is_cut(
    browser: Browser, stack: Stack, host: str
) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(LOG)
    # Where it is noon now, so that what was two minutes ago was today.
    browser.cdp("Emulation.setTimezoneOverride", timezoneId=f"Etc/GMT{datetime.now(timezone.utc).hour - 12:+d}")
    try:
        browser.open(address(stack, host))
        browser.await_state("live")
        browser.run(
            "window.log = [one(5, 'rise', 2, {i: 'x'.repeat(4000), ended_at: one(5, 'rise', 1).began_at}),"
            " one(4, 'record', 2000, {i: 'words '.repeat(600)})]"
        )
        await_true(lambda: len(browser.run(WORDS)) == 2, 10, "the log")
        heights: Any = browser.run("return [...document.querySelectorAll('#event-list li')].map(n => n.offsetHeight)")
        assert max(heights) < 130, heights
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
        times = browser.run("return [...document.querySelectorAll('#event-list time')].map(t => t.innerText)")
        assert ":" in times[0] and len(times[1]) > len(times[0]), times
        browser.shot("events-long")
        browser.run("document.querySelector('#event-list button').focus(); window.log[0].peak = 500")
        browser.run("window.log.push(one(6, 'headline', 16, {ratio: 1.4, score: 4}))")
        await_true(lambda: "Story number 6" in "".join(browser.run(WORDS)), 10, "what a headline did")
        assert browser.run("return document.activeElement.dataset.path") == "/story-5"
    finally:
        browser.cdp("Emulation.setTimezoneOverride", timezoneId="")
        browser.forget_before_load(name)


def marks(browser: Browser) -> list[str]:
    """The words of the marks in the chart of a page's own view."""
    return list(
        browser.run(
            "const chart = window.Chart?.getChart(document.getElementById('chart'));"
            "return chart ? (chart.options.plugins.marks.at || []).map((one) => one[1]) : []"
        )
    )


@pytest.mark.unhurried
def test_a_pages_own_view_goes_on_while_it_is_open(browser: Browser, stack: Stack, host: str) -> None:
    """Of a page that is not in the list behind it: its figures, and, a minute later, charts with what happened."""
    remember(stack, host, PAGES, RISES)
    names = [browser.before_load(LATER), browser.before_load(LOG)]
    try:
        browser.open(address(stack, host, "&page=/story-5"))
        browser.await_script("return document.getElementById('chart').ariaLabel?.includes('1 hour')", "the chart")
        await_true(lambda: "35 reading now" in browser.text("#page-now"), 10, "its figures")
        assert marks(browser) == [] and "Story number 5" not in browser.titles()
        changed = steady("/story-5", 5000, "Quite another headline")
        stack.simulator.script(host, [changed if one["path"] == "/story-5" else one for one in PAGES])
        await_true(lambda: "35 reading now" not in browser.text("#page-now"), 20, "newer figures")
        await_true(lambda: browser.text("#page-title") == "Quite another headline", 5, "its new headline")
        browser.run("window.log = [one(5, 'rise', 15, {}), one(3, 'rise', 16, {}), one(5, 'fall', 30, {})]")
        browser.run("window.skewMs = 61000")
        await_true(lambda: marks(browser) == ["falls", "rises", "headline"] or None, 20, "marks in the chart")
        assert "by social" in browser.text("#page-events") and "Quite another" in browser.text("#headlines")
        browser.shot("page-events")
        browser.run("window.fetch = () => new Promise(() => {}); window.skewMs = 101000")
        await_true(lambda: "old" in browser.text("#page-state"), 5, "a word that the figures are old")
    finally:
        for name in names:
            browser.forget_before_load(name)
