"""How the board says times: by which clocks, and of which day."""

from board.browser import Browser
from board.conftest import PAGES, RISES, address, remember
from servers.processes import await_true
from servers.stack import Stack


def test_a_chart_has_its_ticks_by_the_clocks_also_where_those_are_put_forward_or_back(
    browser: Browser, stack: Stack
) -> None:
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    browser.cdp("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
    ticks = (
        "const [from, to, done] = arguments; import('./js/page.js').then((m) => done(m.ticksOf({from: Date.parse(from),"
        " to: Date.parse(to)}).map(({value}) => new Date(value).toString().slice(0, 21))))"
    )
    table = {
        ("2026-10-21T10:00Z", "2026-10-28T10:00Z"): [
            f"{day} 2026 00:00" for day in
            ("Thu Oct 22", "Fri Oct 23", "Sat Oct 24", "Sun Oct 25", "Mon Oct 26", "Tue Oct 27", "Wed Oct 28")
        ],
        ("2026-03-25T10:00Z", "2026-04-01T10:00Z"): [
            f"{day} 2026 00:00" for day in
            ("Thu Mar 26", "Fri Mar 27", "Sat Mar 28", "Sun Mar 29", "Mon Mar 30", "Tue Mar 31", "Wed Apr 01")
        ],
        ("2026-03-28T21:00Z", "2026-03-29T21:00Z"): [
            *(f"Sun Mar 29 2026 {hour:02}:00" for hour in range(0, 24, 3))
        ],
        ("2026-10-25T00:30Z", "2026-10-25T01:30Z"): [
            f"Sun Oct 25 2026 02:{minute}" for minute in (30, 40, 50, "00", 10, 20, 30)
        ],
    }
    try:
        for (start, end), wanted in table.items():
            assert browser.driver.execute_async_script(ticks, start, end) == wanted
    finally:
        browser.cdp("Emulation.setTimezoneOverride", timezoneId="")


def test_a_time_has_its_day_where_that_is_not_today(browser: Browser, stack: Stack) -> None:
    browser.cdp("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    table = {
        "2026-11-27T00:05+01:00": "00:05",
        "2026-11-27T18:01+01:00": "18:01",  # told by a clock that is ahead
        "2026-11-26T23:55+01:00": "Thu, 23:55",
        "2026-11-21T18:00+01:00": "Sat, 18:00",
        "2026-11-20T18:00+01:00": "20 Nov, 18:00",
    }
    times = (
        "const [all, done] = arguments; import('./js/format.js').then((m) => done(all.map((at) =>"
        " m.formatWhen(new Date(at), Date.parse('2026-11-27T18:00+01:00')))))"
    )
    try:
        made = browser.driver.execute_async_script(times, list(table))
        assert [one.replace("Thu ", "Thu, ").replace("Sat ", "Sat, ") for one in made] == list(table.values())
    finally:
        browser.cdp("Emulation.setTimezoneOverride", timezoneId="")


# Put in front of the page's own scripts: of each page in a list, that it rises since and was first seen yesterday.
YESTERDAY = """const listed = window.fetch;
window.fetch = async (url, ...rest) => {
    const answer = await listed(url, ...rest);
    if (!String(url).includes("/trends") || answer.status !== 200) return answer;
    const body = await answer.json();
    const since = new Date(Date.parse(body.as_of) - 86400000).toISOString();
    for (const page of body.pages) Object.assign(page, {since, first_seen: since});
    window.weekday = new Date(since).toLocaleDateString("en-GB", {weekday: "short"});
    return new Response(JSON.stringify(body), {headers: answer.headers});
};"""


def test_a_row_and_a_pages_own_view_say_of_yesterday_that_it_was(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(YESTERDAY)
    try:
        browser.open(address(stack, host, "&page=/story-3"))
        browser.await_state("live")
        weekday = browser.run("return window.weekday")
        assert f"since {weekday}" in browser.run("return document.querySelector('#rows li .since').textContent")
        seen = (f"since {weekday}", f"first seen {weekday}")
        await_true(lambda: all(words in browser.text("#page-meta") for words in seen), 10, "the day in the view")
    finally:
        browser.forget_before_load(name)


# A usual day in the time of New York.
PROFILE = """const profiled = window.fetch;
const hours = Array.from({length: 24}, (_, hour) => (
    {hour, days: 7, median: 10 + hour, p25: 5 + hour, p75: 15 + hour}));
window.fetch = (url, ...rest) => (String(url).includes("/profile")
    ? Promise.resolve(new Response(JSON.stringify({tz: "America/New_York", hours}), {
        headers: {"Content-Type": "application/json"}})) : profiled(url, ...rest));"""


def test_the_hours_of_a_usual_day_say_by_which_clocks(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(PROFILE)
    try:
        browser.open(address(stack, host, "&page=/story-3"))
        await_true(lambda: "by the clocks of America/New York" in browser.text("#hours-title"), 10, "the zone")
        assert "America/New York: 0: 10," in browser.run("return document.getElementById('hours').ariaLabel")
    finally:
        browser.forget_before_load(name)
