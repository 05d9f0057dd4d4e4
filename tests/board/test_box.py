"""The box on pages of other origins: with a strict CSP, hostile headlines, and a service that stops or refuses."""

import gzip
import http.server
import threading
from typing import Any, Iterator

import pytest

from board.browser import Browser
from servers.processes import ROOT, await_true
from servers.stack import Stack, page
from servers.tokens import add_token, id_of, run_token

BOX = ROOT / "nginx" / "board" / "box.js"
EVIL = "<img src=x onerror=alert(1)>\u202e & <script>alert(1)</script>"


class Site:
    """Somebody's site: one page, as its last `show` says."""

    def __init__(self) -> None:
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_page = self.path == "/"
                self.send_response(200 if is_page else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", site.policy)
                self.end_headers()
                self.wfile.write(site.text.encode() if is_page else b"")

            def log_message(self, *_: Any) -> None:
                pass

        self.text = self.policy = ""
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def show(self, service: str, box: str) -> None:
        self.policy = f"default-src 'none'; script-src {service}; connect-src {service}"
        script = f'<script type="module" src="{service}/board/box.js"></script>'
        self.text = f"<!doctype html><title>News</title>{script}{box}"


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site()
    yield one
    one.server.shutdown()
    one.server.server_close()


def rise(stack: Stack, host: str, pages: list[tuple[str, str]]) -> None:
    """A list in which all of these rise, the first one most; and in each later one again, whenever the box asks."""
    count = len(pages)

    def grown(times: int) -> list[dict[str, Any]]:
        return [page(path, 10 + times * (count - n) * 10, title) for n, (path, title) in enumerate(pages)]

    stack.turn(host, sequence=[grown(times) for times in range(1, 600, 2)])
    await_true(lambda: len(stack.rising(host).json) == count, 5, "a list in which all rise")


def links(browser: Browser) -> list[dict[str, str]]:
    return browser.run(
        "return [...document.querySelector('upbeat-box').shadowRoot?.querySelectorAll('a') ?? []].map((a) =>"
        " ({ text: a.textContent, href: a.href, rel: a.rel, target: a.target }))"
    )


def shows_slot(browser: Browser) -> bool:
    return browser.run("return !document.querySelector('upbeat-box').shadowRoot.querySelector('slot').hidden")


def opened(stack: Stack, browser: Browser, site: Site, host: str, token: str, more: str = 'limit="3"') -> None:
    service = f"http://127.0.0.1:{stack.nginx.port}"
    site.show(service, f'<upbeat-box host="{host}" token="{token}" {more}>Rising now</upbeat-box>')
    browser.console()
    browser.open(site.origin + "/")


def test_it_is_small() -> None:
    assert len(gzip.compress(BOX.read_bytes())) < 5000


def test_on_a_page_of_another_origin_with_a_strict_csp(
    stack: Stack, chromium: Browser, site: Site, host: str
) -> None:
    rise(stack, host, [("/a", "First"), ("/b?x=1&y=2", EVIL), ("/c", ""), ("/d", "Fourth")])
    token = add_token(stack, host, "--may", "box", "--origins", site.origin)
    opened(stack, chromium, site, host, token)
    await_true(lambda: len(links(chromium)) == 3, 10, "the list")
    shown = links(chromium)
    assert [one["text"] for one in shown[:2]] == ["First", EVIL]
    assert [one["href"] for one in shown] == [f"https://{host}{path}" for path in ("/a", "/b?x=1&y=2", "/c")]
    assert {(one["rel"], one["target"]) for one in shown} == {("noopener", "")}
    assert not shows_slot(chromium)
    assert chromium.run("return document.querySelector('upbeat-box').offsetHeight") > 30
    said = [line for line in chromium.console() if "favicon" not in str(line)]
    assert not said, said


def test_another_origin_than_the_token_has_sees_its_own_words(
    stack: Stack, chromium: Browser, site: Site, host: str
) -> None:
    rise(stack, host, [("/a", "First")])
    opened(stack, chromium, site, host, add_token(stack, host, "--may", "box", "--origins", "https://news.example"))
    await_true(lambda: any("CORS" in str(line) for line in chromium.console()), 10, "a refusal")
    assert links(chromium) == [] and shows_slot(chromium)


def test_what_is_no_address_of_a_page_is_left_out(stack: Stack, chromium: Browser, site: Site, host: str) -> None:
    rise(stack, host, [("javascript:alert(1)", "Script"), ("blog.example/x", "Blog"), ("/b", "Own")])
    opened(stack, chromium, site, host, add_token(stack, host, "--may", "box"))
    await_true(lambda: len(links(chromium)) >= 2, 10, "the list")
    assert all(one["href"].startswith("https://") for one in links(chromium))
    assert "https://blog.example/x" in [one["href"] for one in links(chromium)]


def test_it_refreshes_and_keeps_what_it_has(stack: Stack, chromium: Browser, site: Site, host: str) -> None:
    rise(stack, host, [("/a", "First")])
    token = add_token(stack, host, "--may", "box")
    opened(stack, chromium, site, host, token)
    await_true(lambda: [one["text"] for one in links(chromium)] == ["First"], 10, "the list")
    rise(stack, host, [("/b", "Second")])
    await_true(lambda: [one["text"] for one in links(chromium)] == ["Second"], 15, "the next list")
    assert run_token(stack, "revoke", str(id_of(stack, token))).returncode == 0
    chromium.console()
    await_true(lambda: any("401" in str(line) for line in chromium.console()), 15, "the refusal")
    assert [one["text"] for one in links(chromium)] == ["Second"] and not shows_slot(chromium)
    chromium.open(site.origin + "/")
    await_true(lambda: any("401" in str(line) for line in chromium.console()), 15, "the refusal")
    assert links(chromium) == [] and shows_slot(chromium)


def test_with_the_service_stopped(stack: Stack, chromium: Browser, site: Site, host: str) -> None:
    rise(stack, host, [("/a", "First")])
    opened(stack, chromium, site, host, add_token(stack, host, "--may", "box"))
    await_true(lambda: links(chromium), 10, "the list")
    stack.nginx.stop()
    try:
        chromium.console()
        await_true(lambda: any("ERR_CONNECTION" in str(line) for line in chromium.console()), 15, "a failure")
        assert len(links(chromium)) == 1
    finally:
        stack.nginx.start()


def test_html_for_pages_without_script(stack: Stack, host: str) -> None:
    rise(stack, host, [("/a?x=1&y='", EVIL), ("/b", "Second")])
    token = add_token(stack, host, "--may", "box")
    answer = stack.ask(headers={"X-CB-AK": token}, host=host, format="html", limit=1)
    text = answer.body.decode()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8" and answer.headers["ETag"]
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert text.startswith(f'<ol>\n<li><a href="https://{host}/a?x=1&amp;y=') and text.endswith("</li>\n</ol>\n")
    assert "<img" not in text and "<script" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text
    assert text.count("<li>") == 1
    assert stack.ask("/api/v1.0/trends", headers={"X-CB-AK": token}, host=host, format="html").status == 400
    both = stack.rising(host, format="html", callback="f")
    assert both.status == 400 and both.json["parameter"] == "format"
