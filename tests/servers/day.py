"""The scripted day of tests/simulator/day.toml: what upbeat-alert must find in it, and what it must tell."""

import json
import sys
from datetime import datetime, timezone
from typing import Any

from .outbox import BOARD, Outbox, signature
from .receiver import Receiver
from .simulator import FOLDER

sys.path.append(str(FOLDER))
from day import Day, DayScript  # noqa: E402

__all__ = ["FIRST", "LAST", "SCRIPT", "Day", "DayScript", "add_channels", "check_day"]

SCRIPT = FOLDER / "day.toml"
FIRST, LAST = 8.25, 12.5  # the hours that are played
HOOK, ROOM = "/200/hook", "/word/200/ok/slack"
EVER = datetime(2000, 1, 1, tzinfo=timezone.utc)


def add_channels(outbox: Outbox, receiver: Receiver) -> str:
    """A webhook and a room at Slack's, told of rises at all hosts. Returns the secret of the webhook."""
    secret = outbox.command("channel", "add", "hook", "webhook", f"{receiver.url}{HOOK}").strip()
    outbox.command("channel", "add", "room", "slack", "-", text=f"{receiver.url}{ROOM}\n")
    for channel in ("hook", "room"):
        outbox.command("rule", "add", channel)
    return secret


def check_day(outbox: Outbox, receiver: Receiver, secret: str, host: str, since: datetime = EVER) -> None:
    """One rise with its cause, one outage, one headline with its effect, and nothing else; told as they should be, and
    nothing else of that host in the receiver's log."""
    found = outbox.database.rows(
        "select kind, path, causes::text, ended_at is null, title, visitors / nullif(expected, 0), score from events"
        " where host = %s and began_at >= %s order by began_at",
        host,
        since,
    )
    assert [row[:4] for row in found] == [
        ("rise", "/p20", "{social}", False),
        ("outage", None, "{}", False),
        ("headline", "/p2", "{}", False),
    ], found
    assert found[2][4] == "What it is really about"
    # The readers come in the two minutes after, and chance makes 4 % of the ratio.
    assert 1.12 < found[2][5] < 1.5 and found[2][6] >= 2, found[2]
    _check_hook(receiver, secret, host)
    _check_slack(receiver, host)
    sent = outbox.database.rows(
        "select channel, state, count(*) from deliveries where events[1] like %s and created_at >= %s"
        " group by 1, 2 order by 1",
        f"% {host}/%",
        since,
    )
    assert sent == [("hook", "delivered", 2), ("room", "delivered", 2)], sent


def _check_hook(receiver: Receiver, secret: str, host: str) -> None:
    told: dict[str, Any] = {}
    for one in receiver.requests(HOOK):
        body, headers = json.loads(one["body"]), one["headers"]
        signed = signature(secret, headers["webhook-id"], headers["webhook-timestamp"], one["body"])
        assert headers["webhook-signature"] == signed
        if body["data"]["host"] == host:
            assert told.setdefault(headers["webhook-id"], body) == body  # sent again after a kill: the same
    began, ended = told.values()
    assert (began["type"], ended["type"]) == ("rise.began", "rise.ended")
    data = began["data"]
    assert (data["path"], data["title"], data["cause"], data["ended_at"]) == ("/p20", "Page 20", "social", None), data
    # It may be told half a minute after its first visitor, long before it is at its height.
    assert data["ratio"] > 1.1 and data["sources"]["social"] > 5
    assert ended["data"]["peak"] > 2 * data["expected"] and ended["data"]["cause"] == "social"
    assert data["url"] == f"https://{host}/p20"
    assert data["board_url"] == f"{BOARD}#host={host}&page=/p20"
    assert ended["data"]["id"] == data["id"] and ended["data"]["ended_at"] > data["began_at"]
    assert ended["data"]["peak"] > data["visitors"]


def _check_slack(receiver: Receiver, host: str) -> None:
    bodies = {one["body"] for one in receiver.requests(ROOM) if host.encode() in one["body"]}
    texts = sorted(json.loads(body)["blocks"][0]["text"]["text"] for body in bodies)
    assert len(texts) == 2, texts
    assert texts[0].startswith(f"No longer rising: *<https://{host}/p20|Page 20>*\nfor ")
    assert texts[1].startswith(f"Rising: *<https://{host}/p20|Page 20>*\n")
    assert " × expected: " in texts[1] and ", social +" in texts[1] and "█" in texts[1]
