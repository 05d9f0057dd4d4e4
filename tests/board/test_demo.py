"""The demo at its first look: fcgi/up on an empty folder, and one click on the address that it prints."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from board.browser import Browser
from servers.processes import allow_s, await_true
from servers.up import HOST, Up


WITHIN_MS = 2000
FIRST = """window.firstSeen = {};
new MutationObserver(() => {
    const rows = document.getElementById('rows');
    if (rows?.querySelector('.spark .line')?.getAttribute('d')) window.firstSeen.spark ??= performance.now();
    if (rows?.querySelector('.why span')) window.firstSeen.why ??= performance.now();
}).observe(document, {childList: true, subtree: true, attributes: true});"""
# The share of the day over which a path is drawn: all its strokes, gaps left out.
COVERED = """const path = document.querySelector(`.day .${arguments[0]}`).getAttribute('d') || '';
const strokes = path.split('M').slice(1).map((one) => one.match(/-?[\\d.]+ -?[\\d.]+/g).map((at) => parseFloat(at)));
return strokes.reduce((sum, xs) => sum + Math.max(...xs) - Math.min(...xs), 0) / 600;"""
JUMP = """const path = document.querySelector('.day .line').getAttribute('d');
const ys = path.match(/[\\d.]+ [\\d.]+/g).slice(-5).map((at) => Number(at.split(' ')[1]));
return Math.max(...ys.slice(1).map((y, i) => Math.abs(y - ys[i]))) / 64;"""


@pytest.fixture
def up() -> Iterator[Up]:
    place = Path(tempfile.mkdtemp(prefix="up-"))
    place.chmod(0o755)
    # On a Saturday, too, there are five days of a weekend among them, which is what it takes to say what is usual.
    one = Up(place / "state", UPBEAT_PAST_DAYS="22").start().await_ready()
    yield one
    one.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert not one.leftovers()


@pytest.mark.unhurried
def test_one_click_on_the_printed_address_shows_what_rises(up: Up, measured: Callable[[str], None]) -> None:
    found = re.search(r"^board: +(\S+)$", up.text, re.M)
    assert found and re.fullmatch(re.escape(f"{up.url}board/#host={HOST}&key=") + r"ubt_\w+", found[1])
    browser = Browser()
    try:
        browser.before_load(FIRST)
        began = time.monotonic()
        browser.driver.get(found[1])
        browser.await_state("live", within_s=5)
        assert time.monotonic() - began < allow_s(5)
        # A page that is new to the list says what it had at most, not what was expected of it.
        rows = browser.run("return [...document.querySelectorAll('#rows li')].map(row => row.innerText)")
        assert any("since" in row and ("expected" in row or "before" in row or "new" in row) for row in rows), rows
        assert browser.run("return document.querySelector('#rows .spark .line').getAttribute('d').length") > 20
        why = "return [...document.querySelectorAll('#rows .why span')].length"
        await_true(lambda: browser.run(why) > 0, 30, "sources")
        await_true(lambda: "usual" in browser.text("#against"), 10, "what is usual")
        # The past and the present are of one making, so that only a large surge makes a difference: test_simulator.py
        # says by how much, and how often.
        number = "[document.getElementById('now'), document.getElementById('usual')].map((node) => node.textContent)"
        now, usual = browser.run(f"return {number}")
        low, high = (int(n.replace(",", "")) for n in re.findall(r"[\d,]{3,}", usual)[-2:])
        assert 0.7 * low < int(now.replace(",", "")) < 1.4 * high, (now, usual)
        measured(f"{now} visitors now; {usual}")
        # The page notes when each was first there, by its own clock: 2 s on a machine that has nothing else to do.
        seen = browser.await_script("return window.firstSeen.spark && window.firstSeen.why && window.firstSeen", "rows")
        for name, within_s in (("line", 10), ("band", 30), ("week", 90)):
            browser.await_script(
                f"return document.querySelector('.day .{name}').getAttribute('d')", f"the day's {name}", within_s
            )
            print(f"the day's {name} {time.monotonic() - began:.1f} s after the click")
        measured(f"sparklines {seen['spark']:.0f} ms, sources {seen['why']:.0f} ms after the click")
        assert max(seen["spark"], seen["why"]) < allow_s(3 * WITHIN_MS)  # the figure itself is above
        await_true(lambda: browser.run(COVERED, "line") > 0.97, 90, "a line of the whole day")
        await_true(lambda: browser.run(COVERED, "band") > 0.97, 90, "the usual band of the whole day")
        jump = browser.run(JUMP)
        assert jump < 0.25, f"the day's line jumps by {100 * jump:.0f} % of its height where the past ends"
        browser.shot("demo")
    finally:
        browser.close()


@pytest.mark.unhurried
def test_the_printed_line_reads_the_settings_for_upbeat_import(up: Up, tmp_path: Path) -> None:
    line = re.search(r"^settings: (.*)$", up.text, re.M)
    assert line and (up.state / "upbeat.env").stat().st_mode & 0o077 == 0
    at = (int(time.time()) // 900 - 500) * 900_000
    (tmp_path / "samples.tsv").write_text(f"t_ms\tpath\tvisitors\n{at}\t/a\t5\n")
    command = f"{line[1]}; upbeat-import other.example <{tmp_path}/samples.tsv"
    said = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=30, env={"PATH": "/usr/bin:/bin"}
    )
    assert said.stdout == "1 rows, 1 quarters of an hour of other.example\n", said.stderr
