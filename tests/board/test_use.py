"""How one works with the board: by keyboard and pointer, with hostile headlines, several sites, on a wall, and with a
page's own view."""

import json
import re
from typing import Any

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from board.browser import LATER, Browser
from board.conftest import PAGES, RISES, address, remember, script, steady
from servers.processes import ROOT, await_true
from servers.stack import KEY, Stack

BOX = """const box = document.querySelectorAll('#rows li')[arguments[0]].getBoundingClientRect();
return [box.top, box.height];"""
# The first request of a page's own view waits until it is let go.
HELD = """const ask = window.fetch; window.held = [];
window.fetch = (url, ...all) => (String(url).includes('/usual')
    ? new Promise((go) => window.held.push(go)).then(() => ask(url, ...all)) : ask(url, ...all));"""
ASKED = "performance.getEntriesByType('resource').map((one) => one.name)"
HOSTILE = [
    "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>",
    "Safe \u202eETIRW DETOOR\u202c and more",
    "x" * 2900,
    "👩🏽‍🚀 عاجل: 地铁 ' \" & < > ${alert(1)} {{7*7}}",
]


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        ActionChains(browser.driver).send_keys(key).perform()


def asked(browser: Browser, part: str) -> list[str]:
    return [url for url in browser.run(f"return {ASKED}") if part in url]


def focused(browser: Browser) -> str:
    return str(browser.run("const a = document.activeElement; return a.id || a.className || a.tagName"))


def test_by_keyboard_alone(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    press(browser, Keys.TAB)
    assert focused(browser) == "skip"
    order = []
    for _ in range(12):
        press(browser, Keys.TAB)
        order.append(focused(browser))
    assert order[:4] == ["theme", "tv-link", "leave", "tab-rising"], order
    assert order[4:8] == ["title", "spark", "title", "spark"], order
    browser.run("document.getElementById('tab-rising').focus()")
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused(browser) == "tab-top"
    await_true(lambda: len(browser.titles()) == 14, 10, "the tab of all pages")
    press(browser, Keys.HOME)
    await_true(lambda: len(browser.titles()) == 2, 10, "the tab of what rises")
    press(browser, Keys.TAB, Keys.ARROW_DOWN)
    assert browser.run("return document.activeElement.textContent") == "Story number 7"
    press(browser, Keys.TAB, Keys.ENTER)
    browser.await_script("return document.getElementById('page').open", "the page's own view")
    await_true(lambda: "page=/story-7" in browser.driver.current_url, 5, "the address of the page's own view")
    press(browser, Keys.ESCAPE)
    browser.await_script("return !document.getElementById('page').open", "the list again")
    await_true(lambda: "page=" not in browser.driver.current_url, 5, "the address of the list")
    await_true(lambda: focused(browser) == "spark", 5, "the focus where it was")


def test_a_view_that_is_closed_while_it_loads_asks_for_nothing_more(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(HELD)
    try:
        browser.open(address(stack, host) + "&page=/story-7")
        browser.await_script("return window.held.length > 0", "the first request of the view")
        press(browser, Keys.ESCAPE)
        browser.await_script("return !document.getElementById('page').open", "the list again")
        browser.run("window.held.splice(0).forEach((go) => go())")
        before = len(asked(browser, "/trends"))
        await_true(lambda: len(asked(browser, "/trends")) > before, 10, "a later refresh")
        assert not [url for url in asked(browser, "/history") if "sources=" in url]
    finally:
        browser.forget_before_load(name)


def test_hostile_headlines_are_text_and_turn_nothing_but_themselves(browser: Browser, stack: Stack, host: str) -> None:
    pages = PAGES + [steady(f"/hostile-{n}", 40 + n, title) for n, title in enumerate(HOSTILE)]
    pages.append(steady("https://blog.example/x", 60, "On another host of the site"))
    rises = {page["path"]: 200 for page in pages[14:]}
    remember(stack, host, pages, rises)
    browser.open(address(stack, host))
    browser.await_state("live")
    await_true(lambda: set(HOSTILE) - set(browser.titles()) == set() or None, 10, "all of them as they are")
    assert browser.driver.title == f"{host} – upbeat"
    assert browser.run("return document.querySelectorAll('#rows :is(img, script, b)').length") == 0
    hrefs = browser.run("return [...document.querySelectorAll('#rows a')].map(a => new URL(a.href).origin)")
    assert set(hrefs) == {f"https://{host}", "https://blog.example"}
    widths = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    heights = browser.run("return [...document.querySelectorAll('#rows li')].map(li => li.offsetHeight)")
    assert max(heights) < 120, heights
    rights = browser.run(
        "return [...document.querySelectorAll('#rows .people')].map(p => p.getBoundingClientRect().right)"
    )
    assert len(set(rights)) == 1
    browser.shot("hostile")


def test_to_skip_to_the_list_keeps_site_tab_and_page(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, "&tab=top"))
    browser.await_state("live")
    where = browser.run("return location.hash")
    browser.run("document.querySelector('.skip').focus()")
    press(browser, Keys.ENTER)
    assert focused(browser) == "panel"
    assert browser.run("return [location.hash, document.documentElement.dataset.tab]") == [where, "top"]
    press(browser, Keys.TAB)
    assert focused(browser) == "title"


def test_an_address_out_of_the_data_is_https_or_none(browser: Browser, stack: Stack) -> None:
    browser.open(address(stack, "", key=None).replace("#host=", ""))
    paths = [
        "/a b",
        "//x.example/y",
        "/\\x.example",
        "javascript:alert(1)",
        "a@x.example/y",
        "x.example:81/y",
        "x.example/y",
        "",
        "%",
        "data:,x",
        "?q",
    ]
    made = browser.driver.execute_async_script(
        "const [paths, done] = arguments;"
        "import('./js/list.js').then((m) => done([...paths.map((path) => m.storyUrl('news.example', path)),"
        " m.storyUrl('video@news.example', '/a')]))",
        paths,
    )
    assert made.pop() == "https://news.example/a"
    assert made[:3] == [
        "https://news.example/a%20b", "https://news.example//x.example/y", "https://news.example//x.example"
    ]
    assert made[3:] == ["", "", "", "https://x.example/y", "", "", "", ""], made


def test_no_row_moves_under_the_pointer_or_while_one_has_the_focus(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, "&tab=top"))
    browser.await_state("live")
    first = browser.titles()
    ActionChains(browser.driver).move_to_element(
        browser.driver.find_element(By.CSS_SELECTOR, "#rows li:nth-child(3)")
    ).perform()
    before = [browser.run(BOX, n) for n in range(14)]
    script(
        stack,
        host,
        [*PAGES[:1], steady("/story-1", 900, "Story number 1"), *PAGES[2:13], steady("/late", 700, "Late")],
        RISES,
    )
    browser.await_script("return !document.getElementById('held').hidden", "a word that the order waits", 15)
    await_true(lambda: "Late" in browser.titles(), 15, "the new page at the end")
    assert browser.titles() == [*first, "Late"] and [browser.run(BOX, n) for n in range(14)] == before
    ActionChains(browser.driver).move_to_element(browser.driver.find_element(By.ID, "host")).perform()
    await_true(lambda: browser.titles()[0] == "Story number 1", 10, "the order that waited")
    browser.run("document.querySelectorAll('#rows .title')[5].focus()")
    held = browser.titles()
    script(stack, host, [steady("/story-0", 2000, "Story number 0"), *PAGES[1:]], RISES)
    browser.await_script("return !document.getElementById('held').hidden", "a word that the order waits", 15)
    assert browser.titles()[: len(held)] == held
    browser.run("document.activeElement.blur()")
    await_true(lambda: browser.titles()[0] == "Story number 0", 10, "the order that waited")


@pytest.mark.unhurried
def test_a_pointer_that_was_left_on_the_list_holds_it_no_longer(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    name = browser.before_load(LATER)
    try:
        browser.open(address(stack, host, "&tab=top"))
        browser.await_state("live")
        row = browser.driver.find_element(By.CSS_SELECTOR, "#rows li:nth-child(3)")
        ActionChains(browser.driver).move_to_element(row).perform()
        script(stack, host, [*PAGES[:1], steady("/story-1", 900, "Story number 1"), *PAGES[2:]], RISES)
        browser.await_script("return !document.getElementById('held').hidden", "a word that the order waits", 15)
        browser.run("window.skewMs = 130000")
        await_true(lambda: browser.titles()[0] == "Story number 1", 10, "the order that waited")
    finally:
        browser.forget_before_load(name)


def test_a_rise_after_quiet_is_said_too(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES)
    browser.open(address(stack, host))
    browser.await_state("quiet")
    script(stack, host, PAGES, {"/story-9": 2000})
    await_true(lambda: "Story number 9" in browser.text("#live"), 20, "a word for those who listen")


def test_new_rises_are_said_politely(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, {"/story-3": 120})
    browser.open(address(stack, host))
    browser.await_state("live")
    assert browser.text("#live") == "" and browser.run("return document.getElementById('live').ariaLive") == "polite"
    script(stack, host, PAGES, {"/story-3": 120, "/story-9": 2000})
    await_true(lambda: "Story number 9" in browser.text("#live"), 20, "a word for those who listen")


def test_a_pages_own_view_has_an_address_the_evidence_and_charts(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host, "&page=/story-3"))
    browser.await_script(
        "return document.getElementById('page').open && document.getElementById('chart').ariaLabel", "the chart"
    )
    browser.await_script("return document.getElementById('page-evidence').textContent.includes(' = ')", "the evidence")
    assert re.fullmatch(
        r"[\d.]+ expected = [\d.]+ in the median minute × [\d.]+ of the whole site; spread [\d.]+; score [\d.]+\.",
        browser.text("#page-evidence"),
    )
    assert browser.text("#page-title") == "Story number 3" and "social" in browser.text("#page-sources")
    figures = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", browser.text("#page-evidence"))]
    assert figures[0] == pytest.approx(figures[1] * figures[2], rel=0.02)
    drawn = browser.run(
        "const c = document.getElementById('chart'); return c.getContext('2d').getImageData(0, 0, c.width, "
        "c.height).data.some((v) => v > 0)"
    )
    assert drawn
    browser.await_script("return document.getElementById('from').ariaLabel?.includes('social 1')", "sources over time")
    browser.shot("page-view")
    for span in ("24h", "7d"):
        browser.run("document.querySelector(`[data-span='${arguments[0]}']`).click()", span)
        browser.await_script(
            f"return document.getElementById('chart').ariaLabel.includes('{span[:-1]}')", f"the chart of {span}"
        )
    browser.driver.back()
    browser.driver.forward()


def test_the_chart_is_loaded_when_it_is_first_wanted(browser: Browser, stack: Stack, host: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser.open(address(stack, host))
    browser.await_state("live")
    sent = [one["url"] for one in browser.requests()]
    assert not any("/chart/" in url or "page.js" in url for url in sent)
    browser.run("document.querySelector('#rows button.spark').click()")
    browser.await_script("return window.Chart && document.getElementById('chart').ariaLabel", "the chart")


def test_several_sites_of_one_key_have_a_switch_and_a_wall(browser: Browser, stack: Stack, host: str) -> None:
    other = f"other-{host}"
    remember(stack, host, PAGES, RISES)
    remember(stack, other, PAGES[:5], {})
    assert stack.rising(other).status == 200 and stack.rising(host).status == 200
    browser.open(address(stack, host))
    browser.await_state("live")
    browser.await_script("return document.getElementById('host-choice').checkVisibility()", "the switch")
    browser.run(
        "const c = document.getElementById('host-choice'); c.value = arguments[0]; c.dispatchEvent(new "
        "Event('change'))",
        other,
    )
    browser.await_state("quiet")
    assert browser.text("#host") == other and f"host={other}" in browser.driver.current_url
    browser.run("document.getElementById('wall-link').click()")
    names = "return [...document.querySelectorAll('#wall-list .name')].map(n => n.textContent)"
    browser.await_script(
        f"return document.querySelector('#wall-list .now')?.textContent && (() => {{ {names} }})().includes('{host}')",
        "the wall",
    )
    rising = f"return document.querySelector('#wall-list [data-host=\"{host}\"]')?.innerText.includes('2 rising')"
    browser.await_script(rising, "how many rise at one of them")
    browser.shot("wall")
    browser.run(
        "[...document.querySelectorAll('#wall-list li')].find(li => li.dataset.host === "
        "arguments[0]).querySelector('a').click()",
        host,
    )
    await_true(lambda: browser.text("#host") == host, 10, "its name")  # the wall is live, too
    browser.await_state("live")


@pytest.mark.talks
@pytest.mark.unhurried
def test_the_wall_of_all_sites_goes_on_and_says_where_it_does_not(browser: Browser, stack: Stack, host: str) -> None:
    other = f"other-{host}"
    for one in (host, other):
        remember(stack, one, PAGES, RISES if one == host else {})
        assert stack.rising(one).status == 200
    name = browser.before_load(LATER)
    try:
        browser.open(address(stack, host, "&wall"))
        browser.await_script("return document.querySelectorAll('#wall-list li').length >= 2", "the wall")
        assert browser.text("#wall-link") == "One site" and browser.text("#host") == "All sites"
        browser.run("window.skewMs = 20000")
        browser.await_state("stale", within_s=3)
        browser.await_state("live", within_s=10)
        number = f"return document.querySelector('#wall-list [data-host=\"{host}\"] .now').textContent"
        assert browser.run(number) == "733"
        stack.reports.stop()
        browser.await_state("offline", within_s=12)
        assert browser.run(number) == "733" and browser.text("#age") != "Live"
        stack.reports.start()
        browser.await_state("live", within_s=20)
        browser.run("document.getElementById('wall-link').click()")
        await_true(lambda: browser.titles() == ["Story number 3", "Story number 7"], 10, "one site again")
        browser.size(1920, 1080)
        browser.open(address(stack, host, "&wall&tv"))
        browser.await_script("return document.querySelectorAll('#wall-list li').length >= 2", "the wall")
        browser.shot("tv-wall")
        assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        browser.forget_before_load(name)


def test_on_a_wall_there_is_nothing_to_click_and_headlines_are_large(browser: Browser, stack: Stack, host: str) -> None:
    pages = [steady(f"/p{n}", 60 + n, f"Story {n} of a day with much news") for n in range(40)]
    remember(stack, host, pages, {page["path"]: 150 for page in pages[:11]})
    browser.size(3840, 2160)
    browser.open(address(stack, host, "&tv"))
    browser.await_state("live")
    await_true(lambda: len(browser.titles()) == 8, 10, "eight rows")
    size = browser.run("return parseFloat(getComputedStyle(document.querySelector('.title')).fontSize) / innerWidth")
    assert size >= 0.02
    shown = """return [...document.querySelectorAll('button, select, [role=tab]')]
        .filter(n => n.checkVisibility() && !n.matches('.spark')).length"""
    assert browser.run(shown) == 0
    fits = browser.run(
        "return [...document.querySelectorAll('#rows li')].every(li => li.getBoundingClientRect().bottom <= "
        "innerHeight + 1)"
    )
    assert fits and browser.run("return document.documentElement.scrollHeight <= innerHeight")
    assert "tv" in browser.driver.current_url
    browser.shot("tv")
    browser.driver.refresh()
    browser.await_state("live")
    assert browser.run("return document.documentElement.hasAttribute('data-tv')")


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, stack: Stack, host: str) -> None:
    host = f"a-very-long-name-of-a-site-that-nobody-can-type.and-of-its-parts.{host}"
    remember(
        stack,
        host,
        PAGES + [steady("/long", 50, "Donaudampfschifffahrtsgesellschaftskapitän" * 4)],
        RISES | {"/long": 300},
    )
    browser.size(360, 780, 3, True)
    browser.open(address(stack, host))
    browser.await_state("live")
    widths: Any = browser.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= 360, widths
    overlaps = browser.run(
        "const box = (id) => document.getElementById(id).getBoundingClientRect();"
        "const apart = (a, b) => a.bottom <= b.top || a.right <= b.left;"
        "const rect = (name) => document.querySelector(name).getBoundingClientRect();"
        "return ['host', 'now', 'age'].filter((id) => !apart(box(id), rect('.controls')) || (id !== 'age' && "
        "!apart(box(id), rect('.age')) && !apart(rect('.age'), box(id))))"
    )
    assert not overlaps, overlaps
    small = browser.run(
        "return [...document.querySelectorAll('a[href], button, select')].filter(n => n.checkVisibility() && "
        "(n.offsetHeight < 20 || n.offsetWidth < 20) && !n.matches('.skip')).map(n => n.outerHTML)"
    )
    assert not small, small
    browser.shot("phone")
    browser.size(320, 640, 2, True)  # as at 400 % of 1280
    await_true(lambda: browser.run("return document.documentElement.scrollWidth <= 320"), 3, "all of it on 320 pixels")


def test_what_is_called_rising_in_the_list_of_all_is_what_the_service_shows_by_default() -> None:
    code = (ROOT / "nginx" / "board" / "js" / "list.js").read_text(encoding="utf-8")
    said = re.search(r"const SHOWN = \{(.*)\}", code)
    assert said
    shown = dict(part.strip().split(": ") for part in said[1].split(","))
    described = json.loads((ROOT / "lib" / "api" / "openapi.json").read_text(encoding="utf-8"))
    for one in described["paths"]["/api/v1.0/trends"]["get"]["parameters"]:
        if one.get("name") in shown:
            assert float(shown.pop(one["name"])) == one["schema"]["default"], one["name"]
    model = (ROOT / "lib" / "pages" / "trend_model.h").read_text(encoding="utf-8")
    assert f"TREND_MIN_CHANGE = {shown.pop('min_change')}," in model
    assert not shown


def test_texts_are_there_in_each_language() -> None:
    source = (ROOT / "nginx" / "board" / "js" / "texts.js").read_text(encoding="utf-8")
    english, german = source.split("  de: {")
    names = [set(re.findall(r"(?:^|\s)(\w+): \"", part)) for part in (english, german.split("\n  },")[0])]
    assert len(names[0]) > 80 and names[0] == names[1], names[0] ^ names[1]
    used = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nginx" / "board" / "js").glob("*.js"))
    used += (ROOT / "nginx" / "board" / "index.html").read_text(encoding="utf-8")
    asked = set(re.findall(r"text\(\"(\w+)\"", used)) | set(re.findall(r'data-text="(\w+)"', used))
    assert asked <= names[0], asked - names[0]


@pytest.mark.unhurried
def test_in_german(stack: Stack, host: str) -> None:
    pages = [steady(f"/p{n}", 30 + n) for n in range(100)]
    remember(stack, host, pages, {"/p3": 120})
    script(stack, host, [steady("/new", 300, "Frisch"), *pages[1:]], {"/p3": 120})
    german = Browser(lang="de-DE")
    try:
        german.open(address(stack, host))
        german.await_state("live")
        assert "Steigt" in german.text("#tabs") and "seit " in german.text("#rows") and german.run(
            "return document.documentElement.lang"
        ) == "de"
        assert re.search(r"\d,\d ×", german.text("#rows"))
        await_true(lambda: "mind. +" in german.text("#rows") and "max. " in german.text("#rows"), 15, "a lower bound")
        wide = """return [...document.querySelectorAll(".people > *, .times > *")]
            .filter((node) => node.scrollWidth > node.parentElement.clientWidth).map((node) => node.innerText)"""
        for width, more in ((1280, ""), (360, ""), (1920, "&tv")):
            german.size(width, 900)
            german.run("location.hash = arguments[0]", f"#host={host}{more}")
            assert german.run(wide) == [], width
            assert german.run("return document.documentElement.scrollWidth <= innerWidth")
    finally:
        german.close()


def test_a_browser_is_led_to_the_board_and_everybody_else_gets_the_index(stack: Stack) -> None:
    led = stack.ask("/", headers={"Accept": "text/html,application/xhtml+xml;q=0.9"})
    assert led.status == 303 and led.headers["Location"] == "board/" and "Accept" in led.headers["Vary"]
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        index = stack.ask("/", headers=accept)
        assert index.status == 200 and json.loads(index.body)["service"] == "upbeat"


def test_headers_of_the_files(stack: Stack) -> None:
    for path in ("/board/", "/board/js/main.js", "/board/board.css", "/board/chart/chart.min.js"):
        answer = stack.ask(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status == 200, path
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy and "form-action 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Permissions-Policy"]
        again = stack.ask(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304 and "Content-Security-Policy" in again.headers
    typed = stack.ask("/board")
    assert (typed.status, typed.headers["Location"]) == (301, "/board/")
    assert stack.ask("/board/", method="POST").status in (403, 405)
    assert stack.ask("/board/../../../etc/passwd").status in (400, 404)
    assert stack.ask("/board/nothing.js").status == 404
    assert KEY not in "".join(log.read_text() for log in stack.nginx.logs if log.exists())
