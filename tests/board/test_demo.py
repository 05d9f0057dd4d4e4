"""The demo at its first look: fcgi/up on an empty folder, and one click on the address that it prints."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Iterator

import pytest

from board.browser import Browser
from servers.processes import await_true
from servers.up import HOST, Up


@pytest.fixture
def up() -> Iterator[Up]:
    place = Path(tempfile.mkdtemp(prefix="up-"))
    place.chmod(0o755)
    one = Up(place / "state", UPBEAT_PAST_DAYS="9").start().await_ready()
    yield one
    one.stop()
    shutil.rmtree(place, ignore_errors=True)
    assert not one.leftovers()


@pytest.mark.unhurried
def test_one_click_on_the_printed_address_shows_what_rises(up: Up) -> None:
    found = re.search(r"^board: +(\S+)$", up.text, re.M)
    assert found and re.fullmatch(re.escape(f"{up.url}board/#host={HOST}&key=") + r"ubt_\w+", found[1])
    browser = Browser()
    try:
        began = time.monotonic()
        browser.driver.get(found[1])
        browser.await_state("live", within_s=5)
        assert time.monotonic() - began < 5
        # A page that is new to the list says what it had at most, not what was expected of it.
        rows = browser.run("return [...document.querySelectorAll('#rows li')].map(row => row.innerText)")
        assert any("since" in row and ("expected" in row or "before" in row or "new" in row) for row in rows), rows
        assert browser.run("return document.querySelector('#rows .spark .line').getAttribute('d').length") > 20
        why = "return [...document.querySelectorAll('#rows .why span')].length"
        await_true(lambda: browser.run(why) > 0, 30, "sources")
        # Within two seconds on a machine that has nothing else to do: the test prints when.
        await_true(lambda: "usual" in browser.text("#against"), 10, "what is usual")
        for name, within_s in (("line", 10), ("band", 30), ("week", 90)):
            browser.await_script(
                f"return document.querySelector('.day .{name}').getAttribute('d')", f"the day's {name}", within_s
            )
            print(f"the day's {name} {time.monotonic() - began:.1f} s after the click")
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
