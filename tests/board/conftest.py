"""A service with a past, and one browser for all tests of the board."""

import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

from board.browser import Browser
from servers.processes import worker_program
from servers.stack import KEY, Stack, page

MINUTES = 45


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Once: the programs behind the board are what the other tests run under the sanitizers."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.once)


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    """As fcgi/up has it: nginx's copies, two pools, fetchers."""
    return new_stack(cached=True, UPBEAT_TTL_MS="1000", UPBEAT_STALE_MS="5000", UPBEAT_RATE_PER_MINUTE="6000")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    one = Browser()
    one.driver.get("about:blank")
    one.requests()
    one.console()
    yield one
    one.close()


@pytest.fixture
def browser(chromium: Browser, stack: Stack, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Without what the test before stored; afterwards nothing was said to the console, and nobody else was asked."""
    # The board itself, since Chromium asks for /favicon.ico on a page that names no icon, whenever it likes.
    chromium.driver.get(f"http://127.0.0.1:{stack.nginx.port}/board/")
    chromium.run("sessionStorage.clear(); localStorage.clear()")
    chromium.driver.get("about:blank")
    chromium.size(1280, 900)
    chromium.prefer(prefers_color_scheme="light", prefers_reduced_motion="no-preference")
    chromium.console()
    chromium.requests()
    yield chromium
    if request.node.get_closest_marker("talks") is None:
        said = [line for line in chromium.console() if "/api/v1.0/events" not in line]
        assert not said, said
    ours = (f"http://127.0.0.1:{stack.nginx.port}/", "about:", "data:", "chrome")
    others = [sent["url"] for sent in chromium.requests() if not sent["url"].startswith(ours)]
    assert not others, others


def import_samples(stack: Stack, host: str, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    program = Path(worker_program()).parent / "upbeat-import"
    owner = stack.database.conninfo("upbeat")
    return subprocess.run(
        [program, *options, host], input=text, env={
            "UPBEAT_DATABASE_OWNER": owner
        }, capture_output=True, text=True, timeout=60
    )


def steady(path: str, visitors: int, title: str | None = None) -> dict[str, Any]:
    return page(path, visitors, title, sections=["news"])


def remember(stack: Stack, host: str, pages: list[dict[str, Any]], rises: dict[str, int] | None = None) -> None:
    """Three quarters of an hour of these pages, of which some have grown in the last five minutes; and the same from
    now on."""
    rises = rises or {}
    now = int(time.time())
    lines = ["t_ms\tpath\tvisitors\ttitle\tsections\tsources"]
    for minute in range(MINUTES, 0, -1):
        for one in pages:
            grown = rises.get(one["path"], 0) if minute <= 5 else 0
            visitors = one["visitors"] + grown + (minute % 3 - 1)
            base = one["visitors"] // 5
            sources = f"{base},{base + grown},{base},{base},{base}"
            title = " ".join(str(one["title"]).split())[:3000]
            lines.append(f"{(now - 60 * minute) * 1000}\t{one['path']}\t{max(visitors, 1)}\t{title}\tnews\t{sources}")
    said = import_samples(stack, host, "\n".join(lines) + "\n")
    assert said.returncode == 0, said.stderr
    script(stack, host, pages, rises)


def script(stack: Stack, host: str, pages: list[dict[str, Any]], rises: dict[str, int] | None = None) -> None:
    stack.simulator.script(host, listed(pages, rises or {}))


def listed(pages: list[dict[str, Any]], rises: dict[str, int]) -> list[dict[str, Any]]:
    given = []
    for one in pages:
        grown, base = rises.get(one["path"], 0), one["visitors"] // 5
        stats = {"search": base, "social": base + grown, "links": base, "direct": base, "internal": base}
        given.append(one | {"visitors": one["visitors"] + grown, "stats": stats})
    return given


def address(stack: Stack, host: str, more: str = "", key: str | None = KEY) -> str:
    given = f"#host={host}" + (f"&key={key}" if key else "") + more
    return f"http://127.0.0.1:{stack.nginx.port}/board/{given}"


def go_on_rising(stack: Stack, host: str) -> None:
    """From one list to the next, so that it rises between any two looks."""
    lists = [listed(PAGES, {path: times * rise for path, rise in RISES.items()}) for times in range(1, 100)]
    stack.simulator.script(host, sequence=lists)


PAGES = [steady(f"/story-{n}", 20 + 3 * n, f"Story number {n}") for n in range(14)]
RISES = {"/story-3": 120, "/story-7": 60}
