"""The board under another path of somebody's server, behind TLS and basic auth."""

import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from board.browser import Browser
from board.conftest import PAGES, RISES, address, remember
from servers.processes import ROOT, await_true, children_of, end, free_port
from servers.stack import Stack

CONF = """
{user}
daemon off;
pid {folder}/front.pid;
error_log {folder}/front.log notice;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/b;
    proxy_temp_path {folder}/p;
    fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u;
    scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        auth_basic "newsroom";
        auth_basic_user_file {folder}/users;
        location /tools/audience/ {{ proxy_pass http://127.0.0.1:{behind}/; }}
    }}
}}
"""


@pytest.fixture
def front(stack: Stack, tmp_path: Path) -> Iterator[str]:
    """Somebody's nginx with TLS and a password; gives its address."""
    port = free_port()
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject, *files],
        check=True,
        capture_output=True,
    )
    hashed = subprocess.run(
        ["openssl", "passwd", "-apr1", "desk"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (tmp_path / "users").write_text(f"editor:{hashed}\n")
    user = "user root;" if os.geteuid() == 0 else ""
    (tmp_path / "front.conf").write_text(CONF.format(user=user, folder=tmp_path, port=port, behind=stack.nginx.port))
    command = ["/usr/sbin/nginx", "-e", str(tmp_path / "front.log"), "-c", str(tmp_path / "front.conf")]
    process = subprocess.Popen(command, start_new_session=True)
    await_true(lambda: (tmp_path / "front.pid").exists(), 5, "the server in front")
    yield f"127.0.0.1:{port}"
    end(process, signal.SIGQUIT)


@pytest.mark.unhurried
def test_below_another_path_behind_tls_and_basic_auth(stack: Stack, host: str, front: str) -> None:
    remember(stack, host, PAGES, RISES)
    browser = Browser(flags=["--ignore-certificate-errors"])
    try:
        fragment = address(stack, host).split("#")[1]
        browser.driver.get(f"https://editor:desk@{front}/tools/audience/board/")
        browser.console()
        browser.requests()
        browser.open(f"https://{front}/tools/audience/board/#{fragment}")
        browser.await_state("live")
        browser.run("document.querySelector('#rows button.spark').click()")
        browser.await_script("return document.getElementById('chart').ariaLabel", "the chart")
        sent = [one["url"] for one in browser.requests() if one["url"].startswith("https://")]
        assert sent and all(url.startswith(f"https://{front}/tools/audience/") for url in sent), sent
        said = [line for line in browser.console() if "/api/v1.0/events" not in line]
        assert not said, said
        browser.driver.get(f"https://{front}/tools/audience/")
    finally:
        browser.close()


def test_at_another_path_of_the_same_server(browser: Browser, stack: Stack, host: str) -> None:
    """As the snippet says: a copy of it with another path in its locations."""
    remember(stack, host, PAGES, RISES)
    snippet = (ROOT / "nginx" / "snippets" / "upbeat-board.conf").read_text(encoding="utf-8")
    (stack.folder / "desk.conf").write_text(re.sub(r"(location \S+) /board/", r"\1 /desk/", snippet))
    ours = stack.nginx.conf.read_text()
    other = ours.replace("include snippets/upbeat-board.conf;", f"include {stack.folder}/desk.conf;")
    try:
        reload_nginx(stack, other)
        await_true(lambda: (stack.ask("/desk/").status, stack.ask("/board/").status) == (200, 404), 5, "the other path")
        browser.open(address(stack, host).replace("/board/", "/desk/"))
        browser.await_state("live")
        browser.run("document.querySelector('#rows button.spark').click()")
        browser.await_script("return document.getElementById('chart').ariaLabel", "the chart")
    finally:
        reload_nginx(stack, ours)
        await_true(lambda: stack.ask("/board/").status == 200, 5, "the path of before")


def reload_nginx(stack: Stack, conf: str) -> None:
    """Comes back once no worker of before takes a connection; for a while both kinds listen."""
    stack.nginx.conf.write_text(conf)
    master = int((stack.folder / "nginx.pid").read_text())
    before = children_of(master)
    os.kill(master, signal.SIGHUP)
    await_true(lambda: not any(takes_connections(pid) for pid in before), 5, "workers of nginx with the new settings")


def takes_connections(nginx_worker: int) -> bool:
    try:
        title = Path(f"/proc/{nginx_worker}/cmdline").read_bytes()
    except OSError:
        return False
    return b"worker process" in title and b"shutting down" not in title
