"""What the board costs: time, bytes and memory."""

import gzip
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from board.browser import Browser
from board.conftest import PAGES, RISES, address, remember, script, steady
from servers.processes import ROOT, allow_s, await_true
from servers.stack import Stack

FAST = """const later = window.setTimeout.bind(window);
window.setTimeout = (f, ms, ...all) => later(f, (ms || 0) / 100, ...all);
const ask = window.fetch;
window.turns = 0;
window.fetch = (url, ...all) => {
    if (String(url).includes('/trends')) window.turns++;
    return ask(url, ...all);
};"""
AXE = "axe-core@4.10"
REFRESHES = int(os.environ.get("UPBEAT_BOARD_REFRESHES", "300"))
SCRIPT_MS = 16
FIRST_ROWS_MS = 300
TRANSFER_BYTES = 60_000


def counters(browser: Browser) -> dict[str, float]:
    for _ in range(3):
        browser.cdp("HeapProfiler.collectGarbage")
    found = browser.cdp("Memory.getDOMCounters")
    return found | {"heap": browser.cdp("Runtime.getHeapUsage")["usedSize"]}


@pytest.fixture
def plain(stack: Stack) -> Iterator[Browser]:
    """Without what grows by itself: no log of the driver, and no compiled code, of which there is the more the longer
    a page runs. What is left is the page's own."""
    one = Browser(flags=["--js-flags=--jitless"], logged=False)
    yield one
    one.close()


@pytest.mark.unhurried
def test_three_hundred_refreshes_leave_heap_nodes_and_listeners_as_they_were(
    plain: Browser, stack: Stack, host: str, measured: Callable[[str], None]
) -> None:
    remember(stack, host, PAGES, RISES)
    plain.before_load(FAST)
    plain.driver.get(address(stack, host))
    plain.await_state("live")
    plain.cdp("HeapProfiler.enable")

    def turn(count: int) -> None:
        """Lists that differ from each other, so that there is something to be drawn."""
        until = plain.evaluate("window.turns") + count
        number = 0
        while plain.evaluate("window.turns") < until:
            number += 1
            rises = {f"/story-{n}": 60 + 10 * (n + number) % 90 for n in range(number % 7, 14, 2)}
            script(stack, host, [*PAGES, steady(f"/turn-{number % 9}", 90, f"Turn {number}")], rises)
            if number % 5 == 0:  # the browser holds back who changes the address too often
                tab = ["tab-rising", "tab-top", "tab-falling"][number // 5 % 3]
                plain.evaluate(f"document.getElementById('{tab}').click()")
        plain.evaluate("document.getElementById('tab-rising').click()")

    def at_rest() -> dict[str, float]:
        """With the same rows each time, and none of them on its way."""
        script(stack, host, PAGES, RISES)
        titles = "[...document.querySelectorAll('#rows .title')].map(a => a.textContent)"

        def are_the_same() -> bool:
            shown = plain.evaluate(titles)
            return "Story number 3" in shown and len(shown) < 5

        await_true(are_the_same, 60, "the same rows")
        await_true(lambda: plain.evaluate("document.getAnimations().length === 0"), 10, "rows at rest")
        return counters(plain)

    turn(200)  # after that the lists that the browser keeps of a page's requests and measures are full
    before = at_rest()
    turn(REFRESHES)
    after = at_rest()
    measured(
        f"{REFRESHES} refreshes: heap {before['heap'] / 1e6:.2f} to {after['heap'] / 1e6:.2f} MB,"
        f" nodes {before['nodes']:.0f} to {after['nodes']:.0f},"
        f" listeners {before['jsEventListeners']:.0f} to {after['jsEventListeners']:.0f}"
    )
    assert after["jsEventListeners"] <= before["jsEventListeners"] + 6  # of requests under way
    assert after["nodes"] <= before["nodes"] * 1.1 + 1500, (before, after)
    assert after["heap"] <= before["heap"] * 1.1 + 150_000, (before, after)


@pytest.mark.unhurried
def test_first_rows_and_a_hundred_rows(
    browser: Browser, stack: Stack, host: str, measured: Callable[[str], None]
) -> None:
    remember(
        stack,
        host,
        [steady(f"/p{n}", 30 + n, f"Story {n} with a headline of usual length, more or less") for n in range(100)],
    )
    rows = """new MutationObserver((_, self) => {
        if (document.querySelectorAll('#rows li').length === 0) return;
        window.firstRows = performance.now();
        self.disconnect();
    })
        .observe(document, {childList: true, subtree: true});"""
    name = browser.before_load(rows)
    try:
        times = []
        for _ in range(5):
            browser.open(address(stack, host, "&tab=top"))
            times.append(browser.await_script("return window.firstRows", "first rows"))
        await_true(lambda: len(browser.titles()) == 100, 10, "all rows")
        draws = "return performance.getEntriesByName('upbeat-draw', 'measure').map(m => m.duration)"
        taken = browser.await_script(
            f"const all = (() => {{ {draws} }})(); return all.length >= 5 && all", "five refreshes", 30
        )
    finally:
        browser.forget_before_load(name)
    first, drawn = sorted(times)[2], sorted(taken)[len(taken) // 2]
    measured(
        f"first rows after {first:.0f} ms (median of 5 loads), 100 rows drawn in {drawn:.1f} ms of script (median), "
        f"the first time {taken[0]:.1f} ms"
    )
    assert first < allow_s(3 * FIRST_ROWS_MS)  # the figure itself is in the table
    assert drawn < allow_s(SCRIPT_MS)


def test_all_files_without_the_chart_are_under_60_kb_compressed(stack: Stack, measured: Callable[[str], None]) -> None:
    folder = ROOT / "nginx" / "board"
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    total = 0
    for name in names:
        answer = stack.ask(f"/board/{name}", headers={"Accept-Encoding": "gzip"})
        assert answer.status == 200 and answer.body, name
        if answer.headers["Content-Encoding"] == "gzip":
            assert gzip.decompress(answer.body) == (folder / name).read_bytes()
        total += len(answer.body)
    measured(f"{len(names)} files, {total} bytes compressed")
    assert total < TRANSFER_BYTES


def test_files_say_nothing_of_other_hosts_and_hold_no_inline_script() -> None:
    folder = ROOT / "nginx" / "board"
    for path in [folder / "index.html", folder / "board.css", *folder.glob("js/*.js")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), path
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", text), path
        urls = [url for url in re.findall(r"https?://[^\s\"'`$]+", text)]
        assert not [url for url in urls if not url.startswith("http://www.w3.org/")], (path, urls)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """axe-core from npm, for the tests alone."""
    npm = shutil.which("npm")
    if not npm:
        pytest.skip("npm is not installed: axe-core can't be had")
    place = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--silent", "--no-audit", "--no-fund", AXE],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=120,
    )
    script_file = Path(place) / "node_modules" / "axe-core" / "axe.min.js"
    if done.returncode or not script_file.exists():
        pytest.skip("npm can't install axe-core here")
    return script_file.read_text(encoding="utf-8")


def findings(browser: Browser, axe: str) -> list[str]:
    browser.run(axe)
    wanted = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    result = browser.driver.execute_async_script(
        "const done = arguments[1]; axe.run(document, arguments[0]).then(done, (e) => done({violations: [String(e)]}))",
        wanted,
    )
    said = []
    for one in result["violations"]:
        if isinstance(one, dict):
            one = f"{one['id']}: {[node['html'][:120] for node in one['nodes']][:3]}"
        said.append(one)
    return said


@pytest.mark.talks
@pytest.mark.unhurried
def test_axe_finds_nothing_in_any_state(browser: Browser, stack: Stack, host: str, axe: str) -> None:
    fresh = f"fresh-{host}"
    found: dict[str, list[str]] = {}
    stack.turn(fresh, PAGES)
    script(stack, fresh, PAGES, RISES)
    remember(stack, host, PAGES, RISES)

    def look(name: str, *states: str) -> None:
        browser.await_state(*states)
        browser.driver.implicitly_wait(0)
        if said := findings(browser, axe):
            found[name] = said

    browser.open(address(stack, "", key=None).replace("#host=", ""))
    look("key", "key")
    browser.open(address(stack, host, key="nobody-knows-this-key"))
    look("refused", "refused")
    browser.run("sessionStorage.clear()")
    browser.open(address(stack, fresh))
    look("warming", "warming")
    for scheme in ("light", "dark"):
        browser.prefer(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        for tab in ("rising", "falling", "top"):
            browser.open(address(stack, host, f"&tab={tab}"))
            browser.await_state("live", "quiet")
            browser.await_script(
                "return document.querySelectorAll('#rows li').length > 0 || !document.getElementById('empty').hidden",
                "rows",
            )
            look(f"{tab}, {scheme}", "live", "quiet")
        browser.open(address(stack, host, "&page=/story-3"))
        browser.await_script("return document.getElementById('chart').ariaLabel", "the chart")
        look(f"a page's own view, {scheme}", "live")
    browser.open(address(stack, host, "&tv"))
    look("tv", "live")
    stack.reports.stop()
    look("offline", "offline")
    stack.reports.start()
    assert not found, found
