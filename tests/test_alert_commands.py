"""upbeat-alert's commands, as people run them: channels, rules and silences, and messages that arrive."""

import ast
import email
import json
import re
import subprocess
from email.policy import default
from pathlib import Path
from typing import Iterator

import pytest

from servers.outbox import MARK, Outbox, signature
from servers.processes import allow_s, await_true, end, free_port
from servers.receiver import Receiver


def test_from_nothing_to_the_first_signed_message(outbox: Outbox, receiver: Receiver) -> None:
    outbox.host("a.example")
    url = f"{receiver.url}/200/{MARK}"
    secret = outbox.command("channel", "add", "desk", "webhook", "-", text=url + "\n").strip()
    assert re.fullmatch(r"whsec_[0-9A-Za-z+/]{32}", secret)
    listed = outbox.command("channel", "list")
    assert "desk" in listed and "127.0.0.1" in listed and MARK not in listed
    outbox.run()
    assert outbox.command("channel", "test", "desk") == "the test has reached desk\n"
    outbox.event("a.example")
    assert "told of 1 event\n" in outbox.command("rule", "add", "desk", "--host", "a.example", "--dry-run")
    assert len(outbox.command("rule", "list").splitlines()) == 1
    said = outbox.command("rule", "add", "desk", "--host", "a.example", "--min-ratio", "2", "--at-most", "6/hour")
    assert said.startswith("rule ") and "will be told of rise,takeoff at a.example; of the last 24 hours" in said
    outbox.event("a.example", 2)
    got = receiver.await_requests(f"/200/{MARK}", 2)[-1]
    body = json.loads(got["body"])
    assert body["type"] == "rise.began" and body["data"]["path"] == "/p2" and body["data"]["cause"] == "social"
    headers = got["headers"]
    assert headers["webhook-signature"] == signature(
        secret, headers["webhook-id"], headers["webhook-timestamp"], got["body"]
    )
    second = outbox.command("channel", "rotate", "desk", "--overlap", "1h").strip()
    assert second != secret
    outbox.command("channel", "test", "desk")
    got = receiver.await_requests(f"/200/{MARK}", 3)[-1]
    headers = got["headers"]
    assert headers["webhook-signature"].split() == [
        signature(one, headers["webhook-id"], headers["webhook-timestamp"], got["body"]) for one in (second, secret)
    ]
    number = outbox.command("rule", "list").splitlines()[1].split()[0]
    outbox.command("rule", "remove", number)
    assert outbox.call("rule", "remove", number).returncode == 1
    outbox.command("channel", "remove", "desk")
    assert outbox.call("channel", "remove", "desk").returncode == 1


FAULTS: list[tuple[tuple[str, ...], str]] = [
    (("channel", "add", "Desk", "mail", "a@b.example"), "the name of a channel must be"),
    (("channel", "add", "desk", "fax", "a@b.example"), "must be webhook, slack or mail"),
    (("channel", "add", "desk", "mail", "-oQ/tmp@b.example"), "no such option"),
    (("channel", "add", "desk", "mail", "a@b.example,c@d.example"), "must be one mail address"),
    (("channel", "add", "desk", "mail", "a@b.example\nBcc: x@y.example"), "must be one mail address"),
    (("channel", "add", "desk", "webhook", f"ftp://b.example/{MARK}"), "the channel desk (not shown)"),
    (("channel", "add", "desk", "webhook", f"http://b.example/{MARK}"), "the channel desk (not shown)"),
    (("channel", "add", "desk", "slack", f"hooks.slack.com/{MARK}"), "the channel desk (not shown)"),
    (("channel", "add", "desk", "slack"), "channel add needs"),
    (("channel", "frob", "desk"), "channel takes add"),
    (("rule", "add", "desk", "--kinds", "rise,fal"), "--kinds rise,fal: must be some of rise,takeoff"),
    (("rule", "add", "desk", "--min-ratio", "0.5"), "--min-ratio 0.5: must be a number from 1 to 1000"),
    (("rule", "add", "desk", "--min-visitors", "many"), "--min-visitors many: must be a number from 0"),
    (("rule", "add", "desk", "--sources", "social,"), "--sources social,: must be some of search"),
    (("rule", "add", "desk", "--quiet", "22:00-22:00"), "--quiet 22:00-22:00: must be two different times"),
    (("rule", "add", "desk", "--quiet", "25:00-07:00"), "--quiet 25:00-07:00: must be"),
    (("rule", "add", "desk", "--at-most", "0/hour"), "--at-most 0/hour: must be 1/hour to 1000/hour"),
    (("rule", "add", "desk", "--host", "a b"), "--host a b: must be a host name"),
    (("rule", "add", "desk", "--until", "2030-01-01"), "rule add takes"),
    (("rule", "add", "desk", "--host"), "--host: needs a value"),
    (("rule", "add", "desk", f"--url={MARK}"), "--url: no such option"),
    (("rule", "remove", "x"), "needs the number of a rule"),
    (("silence", "--host", "a.example"), "silence needs --until"),
    (("silence", "--host", "a.example", "--until", "2020-01-01"), "--until 2020-01-01: must be a time to come"),
    (("silence", "--until", "2090-01-01"), "silence needs --host"),
    (("frob",), "the commands are channel, rule and silence"),
]


def test_a_fault_is_named_with_its_bound(outbox: Outbox) -> None:
    outbox.environment["UPBEAT_ALERT_ALLOW"] = ""
    for words, says in FAULTS:
        ended = outbox.call(*words)
        assert ended.returncode == 2 and says in ended.stderr and MARK not in ended.stderr, (words, ended.stderr)
    assert outbox.database.value("select count(*) from channels") == 0


def test_what_is_not_there_is_said(outbox: Outbox) -> None:
    for words in (("rule", "add", "desk"), ("rule", "add", "desk", "--dry-run"), ("channel", "test", "desk")):
        ended = outbox.call(*words)
        assert ended.returncode == 1 and "there is no channel" in ended.stderr
    outbox.command("channel", "add", "desk", "mail", "desk@a.example")
    ended = outbox.call("channel", "add", "desk", "mail", "desk@a.example")
    assert ended.returncode == 1 and "there is a channel desk already" in ended.stderr
    ended = outbox.call("rule", "add", "desk", "--tz", "Mars/Base")
    assert ended.returncode == 1 and "--tz Mars/Base" in ended.stderr
    assert outbox.call("channel", "rotate", "desk").returncode == 1
    outbox.command("rule", "add", "desk", "--sections", "Sport,News", "--paths", "/a/,/b", "--quiet", "22:00-07:00",
         "--tz", "Europe/Berlin", "--sources", "social")
    listed = outbox.command("rule", "list").splitlines()[1]
    for word in ("desk", "rise,takeoff", "Sport,News", "/a/,/b", "22:00-07:00", "Europe/Berlin", "social"):
        assert word in listed


def test_a_silence_and_its_end(outbox: Outbox, receiver: Receiver) -> None:
    outbox.host("a.example")
    outbox.command("channel", "add", "quiet", "webhook", f"{receiver.url}/200/silence")
    outbox.command("rule", "add", "quiet")
    said = outbox.command("silence", "--host", "a.example", "--until", "2090-01-01T12:00Z")
    assert "nobody is told of what begins at a.example until 2090-01-01T12:00Z" in said
    assert "a.example" in outbox.command("silence", "list")
    outbox.run()
    outbox.event("a.example")
    outbox.command("silence", "remove", "--host", "a.example")
    outbox.event("a.example", 2)
    got = receiver.await_requests("/200/silence")
    assert [json.loads(one["body"])["data"]["path"] for one in got] == ["/p2"]
    assert "a.example" not in outbox.command("silence", "list")


ANSWERS = [
    ("ok", "/200", "delivered", True, ""),
    ("bad", "/word/400/invalid_payload", "refused", True, "invalid_payload"),
    ("none", "/word/404/no_service", "refused", False, "no_service"),
    ("old", "/word/410/channel_is_archived", "refused", False, "channel_is_archived"),
    ("much", "/429", "waiting", True, "429"),
]


def test_what_slack_answers(outbox: Outbox, receiver: Receiver) -> None:
    outbox.host("a.example")
    for name, answer, _, _, _ in ANSWERS:
        outbox.command("channel", "add", name, "slack", "-", text=f"{receiver.url}{answer}/slack\n")
        outbox.command("rule", "add", name)
    outbox.database.rows("update pages set title = '<!channel> <@U1> A & B' where path = '/p1'")
    outbox.event("a.example")
    outbox.run()
    for name, answer, state, is_on, said in ANSWERS:
        delivery = await_true(lambda name=name: outbox.delivery(name).get("status") and outbox.delivery(name), 10)
        assert delivery["state"] == state and said in (delivery["said"] or "")
        assert outbox.database.value("select is_on from alert_channels where name = %s", name) is is_on
        if state == "waiting":
            again = "select extract(epoch from next_try_at)::float from deliveries where channel = %s"
            sent = receiver.requests(f"{answer}/slack")[-1]["at"]
            assert 7 <= outbox.database.value(again, name) - sent <= allow_s(9), "Retry-After"
        body = json.loads(receiver.requests(f"{answer}/slack")[-1]["body"])
        assert body["text"].startswith("Rising: &lt;!channel&gt; &lt;@U1&gt; A &amp; B (3.2 × expected: 410 against")
        section = body["blocks"][0]["text"]["text"]
        assert section.splitlines()[0] == "Rising: *<https://a.example/p1|&lt;!channel&gt; &lt;@U1&gt; A &amp; B>*"
        assert section.splitlines()[1] == "3.2 × expected: 410 against 128, social +260"
        assert section.endswith("<https://up.example/board/#host=a.example&amp;page=/p1|Board>")
    said = outbox.command("channel", "enable", "old")
    assert said == "the channel old is on; what happens from now on is sent there\n"


SINK = """
import sys, time
from aiosmtpd.controller import Controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[2], "ab") as out:
            out.write(repr((envelope.rcpt_tos, envelope.content)).encode() + b"\\n")
        return "250 taken"
controller = Controller(Handler(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("ready", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A small SMTP server, and msmtp as the local sendmail that knows it."""
    port, got, program, conf = free_port(), tmp_path / "mails", tmp_path / "sendmail", tmp_path / "msmtprc"
    got.touch()
    conf.write_text(
        f"account default\nhost 127.0.0.1\nport {port}\nfrom upbeat@up.example\nauth off\ntls off\n"
        "allow_from_override off\nset_from_header auto\n"
    )
    conf.chmod(0o600)
    program.write_text(f'#!/bin/sh\nexec /usr/bin/msmtp -C {conf} "$@"\n')
    program.chmod(0o755)
    process = subprocess.Popen(["/usr/bin/python3", "-c", SINK, str(port), str(got)], stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline() == b"ready\n"
    yield program, got
    end(process)


def test_mail_is_one_thread_an_event(outbox: Outbox, sink: tuple[Path, Path]) -> None:
    program, got = sink
    outbox.environment["UPBEAT_SENDMAIL"] = str(program)
    outbox.host("a.example")
    outbox.command("channel", "add", "desk", "mail", "desk@a.example")
    outbox.command("rule", "add", "desk")
    title = "Fünf 🔥\r\nBcc: all@b.example\r\n\r\n" + "lang " * 300
    outbox.database.rows("update pages set title = %s where path = '/p1'", title)
    outbox.run()
    began = outbox.database.value("select clock_timestamp()::text")
    outbox.event("a.example", began=began)
    await_true(lambda: got.read_bytes().count(b"\n") == 1, 10)
    outbox.database.rows("update outbox set created_at = created_at - interval '1 minute'")
    outbox.event("a.example", began=began, ended_at=outbox.database.value("select clock_timestamp()::text"))
    await_true(lambda: got.read_bytes().count(b"\n") == 2, 10)
    mails = []
    for line in got.read_text().splitlines():
        recipients, content = ast.literal_eval(line)
        assert recipients == ["desk@a.example"]
        assert max(len(one) for one in content.splitlines()) < 998
        mails.append(email.message_from_bytes(content, policy=default))
    first, last = mails
    assert first["Subject"].startswith("Rising: Fünf 🔥 Bcc: all@b.example lang") and "Bcc" not in first
    assert last["Subject"].startswith("No longer rising: Fünf 🔥")
    assert first["From"] and first["Date"] and first["Auto-Submitted"] == "auto-generated"
    assert first["List-Id"] == "<desk.upbeat.localhost>" and first.get_content_type() == "text/plain"
    assert first["References"] is None and last["References"] == last["In-Reply-To"] == first["Message-ID"]
    text = first.get_content()
    assert "3.2 × expected: 410 against 128, social +260" in text and "https://a.example/p1" in text.splitlines()
    await_true(
        lambda: outbox.database.value("select count(*) from deliveries where state = 'delivered'") == 2, 10
    )
