"""Channels, rules and events of the outbox, put into a database as upbeat-alert's commands and looks do."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
from pathlib import Path
from typing import Any, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .postgres import Database
from .processes import build_folder, end

PROGRAM = build_folder() / "fcgi" / "upbeat-alert"
MARK = "leak-me-not"  # in all that no log may have
BOARD = "https://up.example/board/"
SECRET = b"a secret of the tests, long enough for it"
SIGNING = "whsec_" + base64.b64encode(b"a signing secret of 32 bytes!!!!").decode()
KINDS = "{rise,takeoff,fall,record,site_high,site_low,headline,outage}"


def seal(text: str, label: str, secret: bytes = SECRET) -> bytes:
    """As lib/base/secret_box.c: nonce, tag, ciphertext of AES-256-GCM, bound to the label."""
    key = hashlib.sha256(b"upbeat api key sealing, version 1\0" + secret).digest()
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, text.encode(), hashlib.sha256(label.encode()).digest())
    return nonce + sealed[-16:] + sealed[:-16]


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """By the text of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    code = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(code).decode()


class Outbox:
    def __init__(self, database: Database, folder: Path, **settings: str) -> None:
        self.database, self.folder = database, folder
        self.secret = folder / "secret"
        self.secret.write_bytes(SECRET)
        self.secret.chmod(0o600)
        self.log = folder / "alert.log"
        self.environment = os.environ | {
            "UPBEAT_DATABASE": database.conninfo("upbeat_alert"),
            "UPBEAT_SECRET_FILE": str(self.secret),
            "UPBEAT_ALERT_ALLOW": "127.0.0.0/8",
            "UPBEAT_LOG": "debug",
        } | settings
        self.running: list[subprocess.Popen[bytes]] = []

    def channel(self, name: str, address: str, kind: str = "webhook", rule: bool = True) -> None:
        self.database.rows(
            "select add_alert_channel(%s, %s, %s, %s, %s)",
            name,
            kind,
            "shown",
            seal(address, f"channel address {name}"),
            seal(SIGNING, f"channel secret {name}") if kind == "webhook" else None,
        )
        if rule:
            self.database.rows(
                f"insert into channel_rules (channel_id, kinds) select channel_id, '{KINDS}' from channels"
                " where name = %s",
                name,
            )

    def host(self, host: str, pages: int = 10) -> None:
        self.database.rows("insert into hosts (host) values (%s)", host)
        self.database.rows(
            "insert into pages (host, path, title) select %s, '/p' || n, 'Page ' || n from generate_series(1, %s) n",
            host,
            pages,
        )

    def event(self, host: str, number: int = 1, began: str = "now", **more: Any) -> None:
        """Begins or, with the same `began`, ends, as if upbeat-alert had found it."""
        at = self.database.value("select %s::timestamptz::text", began)
        page_id = self.database.value("select page_id from pages where host = %s and path = %s", host, f"/p{number}")
        event = {
            "page_id": page_id,
            "kind": "rise",
            "began_at": at,
            "peak_at": at,
            "visitors": 410,
            "expected": 128,
            "score": 9.5,
            "peak": 410,
            "peak_expected": 128,
            "causes": ["social"],
            "sources": [1, 260, 2, 3, 4],
        } | more
        self.database.rows(  # the host was looked at before: what is found in a first look is not told
            "insert into event_progress (host, looked_at) values (%s, now() - interval '1 hour')"
            " on conflict do nothing",
            host,
        )
        looked = self.database.value("select looked_at from event_progress where host = %s", host)
        stored = self.database.value(
            "select record_events(%s, %s, clock_timestamp(), %s)", host, looked, json.dumps([event])
        )
        assert stored

    def call(self, *words: str, text: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """One of upbeat-alert's commands, as people run it, with `text` on its standard input."""
        return subprocess.run(
            [str(PROGRAM), *words],
            input=text,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=30,
        )

    def command(self, *words: str, **more: str) -> str:
        """One that does what it is told: its output."""
        ended = self.call(*words, **more)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def run(self, mode: str = "--loop", before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        command = [*before, str(PROGRAM), mode]
        with open(self.log, "ab") as log:
            one = subprocess.Popen(command, env=self.environment, stderr=log, start_new_session=True)
        self.running.append(one)
        return one

    def kill(self, one: subprocess.Popen[bytes]) -> None:
        one.kill()
        one.wait()
        self.running.remove(one)

    def once(self) -> None:
        with open(self.log, "ab") as log:
            subprocess.run([str(PROGRAM), "--once"], env=self.environment, stderr=log, timeout=60, check=True)

    def stop(self) -> None:
        statuses = [end(one) for one in self.running]
        assert not any(statuses), f"{statuses} {self.log.read_text()[-3000:]}"
        self.check_log()

    def check_log(self) -> None:
        said = self.log.read_text() if self.log.exists() else ""
        assert MARK not in said and "whsec_" not in said and "a secret of its own" not in said
        assert "Sanitizer" not in said and "runtime error" not in said, said[-3000:]
        database = self.database.postgres.log.read_text(errors="replace")
        assert MARK not in database and "whsec_" not in database

    def delivery(self, channel: str) -> dict[str, Any]:
        """The newest one."""
        rows = self.database.rows(
            "select state, attempts, http_status, said, extract(epoch from next_try_at - clock_timestamp())::float"
            " from deliveries where channel = %s order by id desc limit 1",
            channel,
        )
        return dict(zip(("state", "attempts", "status", "said", "wait_s"), rows[0], strict=True)) if rows else {}
