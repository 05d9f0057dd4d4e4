"""upbeat-alert delivers: what receivers answer, what is sent, signatures, addresses that it must not go to, mail."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator, NamedTuple

import pytest

from servers.outbox import MARK, SIGNING, Outbox, seal, signature
from servers.postgres import Database, Postgres
from servers.processes import ROOT, allow_s, await_true, end, free_port
from servers.proxy import Proxy
from servers.receiver import Receiver


@pytest.fixture
def fresh(postgres: Postgres) -> Iterator[Database]:
    one = postgres.new_database()
    yield one
    one.close()


@pytest.fixture
def outbox(fresh: Database, tmp_path: Path) -> Iterator[Outbox]:
    one = Outbox(fresh, tmp_path)
    yield one
    one.stop()


def test_every_receiver_gets_what_it_should_and_none_holds_up_another(outbox: Outbox, receiver: Receiver) -> None:
    """One event, eleven channels: some hang, some lie."""
    paths = {
        "good": "/200",
        "bad": "/500",
        "slow-down": "/429",
        "gone": "/410",
        "hang": "/hang",
        "drip": "/drip",
        "headers": "/headers",
        "redirect": "/redirect",
        "big": "/big",
        "dead": None,
        "second": "/then/500,200",
    }
    for name, path in paths.items():
        base = receiver.url if path else "http://127.0.0.1:9"
        outbox.channel(name, f"{base}{path or ''}/{name}/{MARK}")
    outbox.channel("slack-gone", f"{receiver.url}/word/404/no_service/{MARK}", "slack")
    outbox.channel("slack-bad", f"{receiver.url}/word/400/invalid_payload/{MARK}", "slack")
    outbox.channel("slack-good", f"{receiver.url}/word/200/ok/{MARK}", "slack")
    outbox.host("a.example")
    outbox.run()
    outbox.event("a.example")
    began = time.time()
    first = receiver.await_requests(f"/200/good/{MARK}")[0]
    assert first["at"] - began < allow_s(3)
    assert abs(first["at"] - receiver.await_requests(f"/hang/hang/{MARK}")[0]["at"]) < 5, "one waits for the other"
    slow_down = await_true(lambda: (one := outbox.delivery("slow-down")) and one["said"] and one, 10)
    assert slow_down["wait_s"] > 1
    found: dict[str, Any] = {}

    def all_have_ended() -> bool:
        for name in [*paths, "slack-gone", "slack-bad", "slack-good"]:
            found[name] = outbox.delivery(name)
        return all(one and (one["state"] != "waiting" or one["said"]) for one in found.values())

    await_true(all_have_ended, 20)
    states = {name: (one["state"], one["status"]) for name, one in found.items()}
    assert states.pop("second") in (("waiting", 500), ("delivered", 200)), "it is tried again after some 5 s"
    assert states == {
        "good": ("delivered", 200),
        "bad": ("waiting", 500),
        "slow-down": ("waiting", 429),
        "gone": ("refused", 410),
        "hang": ("waiting", None),
        "drip": ("delivered", 200),  # it was taken: nobody waits for the rest
        "headers": ("waiting", None),
        "redirect": ("waiting", 302),
        "big": ("waiting", 500),
        "dead": ("waiting", None),
        "slack-gone": ("refused", 404),
        "slack-bad": ("refused", 400),
        "slack-good": ("delivered", 200),
    }
    assert found["bad"]["said"] == "HTTP 500" and found["hang"]["said"] == "no answer within 5 s"
    assert found["dead"]["said"] == "nobody listens there"
    off = dict(outbox.database.rows("select name, off_reason from alert_channels where not is_on"))
    assert off == {"gone": "HTTP 410", "slack-gone": "HTTP 404: no_service"}
    assert not receiver.requests("/200/redirected")
    again = receiver.await_requests(f"/then/500,200/second/{MARK}", 2)
    assert {one["headers"]["webhook-id"] for one in again} == {again[0]["headers"]["webhook-id"]}
    assert again[0]["body"] == again[1]["body"] and again[1]["at"] - again[0]["at"] > 3
    assert again[0]["headers"]["webhook-timestamp"] != again[1]["headers"]["webhook-timestamp"]
    waited = outbox.database.value(
        "select extract(epoch from next_try_at - created_at)::float from deliveries where channel = 'slow-down'"
    )
    assert waited >= 7


def test_begin_and_end_are_one_message_each_and_in_order(outbox: Outbox, receiver: Receiver) -> None:
    outbox.channel("hook", f"{receiver.url}/200/ends")
    outbox.host("a.example")
    outbox.run()
    began = outbox.database.value("select clock_timestamp()::text")
    outbox.event("a.example", began=began)
    receiver.await_requests("/200/ends")
    outbox.database.rows("update outbox set created_at = created_at - interval '40 s'")
    outbox.event("a.example", began=began, ended_at=outbox.database.value("select clock_timestamp()::text"))
    found = receiver.await_requests("/200/ends", 2)
    types = [json.loads(one["body"])["type"] for one in found]
    assert types == ["rise.began", "rise.ended"]
    assert len({one["headers"]["webhook-id"] for one in found}) == 2
    for one in found:
        head = one["headers"]
        assert head["content-type"] == "application/json"
        assert abs(int(head["webhook-timestamp"]) - one["at"]) < 5
        assert head["webhook-signature"] == signature(
            SIGNING, head["webhook-id"], head["webhook-timestamp"], one["body"]
        )


def test_two_signatures_while_a_secret_is_rotated(outbox: Outbox, receiver: Receiver) -> None:
    outbox.channel("hook", f"{receiver.url}/200/rotated")
    fresh = "whsec_" + "QUJD" * 10
    outbox.database.rows(
        "select rotate_alert_secret('hook', %s, '1 hour')", seal(fresh, "channel secret hook")
    )
    outbox.database.rows("select test_alert_channel('hook')")
    outbox.once()
    one = receiver.requests("/200/rotated")[0]
    head = one["headers"]
    assert head["webhook-signature"].split(" ") == [
        signature(secret, head["webhook-id"], head["webhook-timestamp"], one["body"]) for secret in (fresh, SIGNING)
    ]


def test_the_signatures_of_these_tests_are_those_that_were_published() -> None:
    """The vector of the libraries of Standard Webhooks; lib/alert/signature.c has it in its unit test too."""
    made = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        b'{"test": 2432232314}',
    )
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_another_secret_is_said_and_loses_nothing(outbox: Outbox, receiver: Receiver) -> None:
    outbox.channel("hook", f"{receiver.url}/200/sealed")
    outbox.database.rows("select test_alert_channel('hook')")
    outbox.secret.write_bytes(b"another secret than the one of before")
    outbox.once()
    assert "another secret" in outbox.delivery("hook")["said"]
    outbox.secret.write_bytes(b"a secret of the tests, long enough for it")
    outbox.database.rows("update outbox set next_try_at = now()")
    outbox.once()
    assert outbox.delivery("hook")["state"] == "delivered"


@pytest.mark.once
def test_a_change_of_the_secret_takes_channels_along(outbox: Outbox, receiver: Receiver, tmp_path: Path) -> None:
    outbox.channel("hook", f"{receiver.url}/200/resealed")
    outbox.channel("mail", "desk@example.org", "mail")
    new = tmp_path / "new"
    new.write_bytes(b"the secret that is used from now on, is it")
    new.chmod(0o600)
    environment = outbox.environment | {"UPBEAT_SECRET_FILE": str(new)}
    environment["UPBEAT_DATABASE"] = outbox.database.conninfo("upbeat_fetch")
    command = [str(ROOT / "build/release/fcgi/upbeat-fetch"), "--reseal", str(outbox.secret)]
    for said in ("2 channels of alerts sealed anew, 0 left", "0 channels of alerts sealed anew, 2 left"):
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=True)
        assert said in ended.stdout
    outbox.environment["UPBEAT_SECRET_FILE"] = str(new)
    outbox.database.rows("select test_alert_channel('hook')")
    outbox.once()
    assert outbox.delivery("hook")["state"] == "delivered"


@pytest.mark.unhurried
def test_a_channel_that_is_removed_takes_what_is_under_way_along(outbox: Outbox, receiver: Receiver) -> None:
    """One message hangs at its receiver, one waits behind it; the process goes on, and a new channel of the name has
    nothing of the old one's."""
    outbox.channel("gone", f"{receiver.url}/hang/gone")
    outbox.channel("stays", f"{receiver.url}/200/stays")
    one = outbox.run()
    outbox.database.rows("select test_alert_channel('gone'), test_alert_channel('gone')")
    receiver.await_requests("/hang/gone")
    assert outbox.command("channel", "remove", "gone").endswith("removed, with its rules and what waited for it\n")
    outbox.channel("gone", f"{receiver.url}/200/again")
    outbox.database.rows("select test_alert_channel('gone'), test_alert_channel('stays')")
    receiver.await_requests("/200/again")
    receiver.await_requests("/200/stays")
    # The request that hung is over after 5 s, and nothing comes of it.
    await_true(lambda: "no answer within 5 s" in outbox.log.read_text(), 15)
    assert one.poll() is None
    await_true(lambda: all(outbox.delivery(name)["state"] == "delivered" for name in ("gone", "stays")), 10)
    assert outbox.database.rows("select channel, state::text, attempts from deliveries order by channel") == [
        ("gone", "delivered", 1),
        ("stays", "delivered", 1),
    ]


# --- Addresses -----------------------------------------------------------------------------------------------

RESOLVER = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
/* Names of .test are what UPBEAT_TEST_NAMES says: "name=address,address name=..."; an address for each look. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found_r)
{
    static int looks;
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    const char *names = getenv("UPBEAT_TEST_NAMES");
    char address[64] = "";
    const char *at = name && names ? strstr(names, name) : NULL;
    if (!at)
        return real(name, service, hints, found_r);
    at += strlen(name) + 1;
    for (int i = __sync_fetch_and_add(&looks, 1); i > 0 && at[strcspn(at, ", ")] == ','; i--)
        at += strcspn(at, ",") + 1;
    memcpy(address, at, strcspn(at, ", "));
    struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    return real(address, service, &numeric, found_r);
}
"""


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("resolver")
    source = folder / "names.c"
    source.write_text(RESOLVER)
    command = ["cc", "-shared", "-fPIC", "-o", str(folder / "names.so"), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return folder / "names.so"


FORBIDDEN = [
    "127.0.0.1",
    "localhost",
    "2130706433",
    "0x7f.1",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "0.0.0.0",
    "[::]",
    "10.0.0.1",
    "[::ffff:10.0.0.1]",
    "169.254.169.254",
    "100.64.0.1",
    "[fd00::1]",
    "[fe80::1]",
    "[64:ff9b::7f00:1]",
    "loop.test",
    "metadata.test",
    "mapped.test",
    "rebinds.test",
]
NAMES = (
    "loop.test=127.0.0.1 metadata.test=169.254.169.254 mapped.test=::ffff:10.0.0.1"
    " rebinds.test=192.0.2.1,127.0.0.1,127.0.0.1,127.0.0.1"
)


@pytest.mark.once
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_strangers_get_nowhere(
    fresh: Database, receiver: Receiver, resolver: Path, tmp_path: Path, scheme: str
) -> None:
    """By https only the address is in the way; with http a network is allowed, but another one."""
    allowed = "" if scheme == "https" else "127.77.0.0/16"
    outbox = Outbox(
        fresh, tmp_path, LD_PRELOAD=str(resolver), UPBEAT_TEST_NAMES=NAMES, UPBEAT_ALERT_ALLOW=allowed
    )
    for number, host in enumerate(FORBIDDEN):
        outbox.channel(f"c{number}", f"{scheme}://{host}:{receiver.port}/200/forbidden")
    before = len(receiver.requests())
    for _ in range(2):  # a name that changes is looked at twice
        fresh.rows("update outbox set next_try_at = now()")
        fresh.rows("select test_alert_channel(name) from channels where not exists (select from outbox)")
        outbox.once()
    said = dict(fresh.rows("select channel, said from deliveries"))
    wrong = {
        FORBIDDEN[int(name[1:])]: why for name, why in said.items() if not str(why).startswith("the address is not")
    }
    assert len(said) == len(FORBIDDEN) and not wrong
    assert len(receiver.requests()) == before
    outbox.check_log()


@pytest.mark.once
def test_a_name_in_an_allowed_network_is_reached(
    fresh: Database, receiver: Receiver, resolver: Path, tmp_path: Path
) -> None:
    outbox = Outbox(fresh, tmp_path, LD_PRELOAD=str(resolver), UPBEAT_TEST_NAMES=NAMES)
    outbox.channel("loop", f"http://loop.test:{receiver.port}/200/allowed")
    fresh.rows("select test_alert_channel('loop')")
    # A proxy would resolve the name itself, so none is asked.
    outbox.environment |= {"http_proxy": "http://127.0.0.1:9", "all_proxy": "http://127.0.0.1:9"}
    outbox.once()
    assert receiver.requests("/200/allowed")


def test_plain_http_needs_a_network(fresh: Database, receiver: Receiver, tmp_path: Path) -> None:
    outbox = Outbox(fresh, tmp_path, UPBEAT_ALERT_ALLOW="")
    outbox.channel("plain", f"{receiver.url}/200/plain")
    fresh.rows("select test_alert_channel('plain')")
    outbox.once()
    assert outbox.delivery("plain")["said"] == "the request can't be made" and not receiver.requests("/200/plain")


# --- A company's proxy ---------------------------------------------------------------------------------------


class Company(NamedTuple):
    """No way out but by tinyproxy, which wants a password; behind it all that is asked for leads to the receiver."""

    address: str
    inside: Proxy


@pytest.fixture
def company(tmp_path: Path, receiver: Receiver) -> Iterator[Company]:
    program = shutil.which("tinyproxy") or "/usr/bin/tinyproxy"
    inside, port = Proxy(tmp_path, receiver.url, "hooks.slack.test"), free_port()
    conf, log = tmp_path / "tinyproxy.conf", tmp_path / "tinyproxy.log"
    upstream = inside.url.removeprefix("http://")
    conf.write_text(
        f'Port {port}\nListen 127.0.0.1\nTimeout 20\nMaxClients 20\nLogFile "{log}"\n'
        f"Upstream http {upstream}\nBasicAuth upbeat {MARK}\n"
    )
    log.touch()
    process = subprocess.Popen([program, "-d", "-c", str(conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await_true(lambda: "Accepting connections" in log.read_text(), 10)
    yield Company(f"127.0.0.1:{port}", inside)
    end(process)
    inside.stop()


def behind(company: Company, fresh: Database, tmp_path: Path, user: str = f"upbeat:{MARK}@", **more: str) -> Outbox:
    settings = {"UPBEAT_ALERT_PROXY": f"http://{user}{company.address}", "UPBEAT_ALERT_ALLOW": ""}
    return Outbox(fresh, tmp_path, SSL_CERT_FILE=str(company.inside.authority), no_proxy="*", **settings | more)


def test_slack_is_reached_through_a_proxy(
    company: Company, fresh: Database, receiver: Receiver, tmp_path: Path
) -> None:
    """The name means nothing to this machine: the proxy alone resolves it."""
    outbox = behind(company, fresh, tmp_path)
    outbox.channel("room", f"https://hooks.slack.test/word/200/ok/proxy-{MARK}", "slack")
    fresh.rows("select test_alert_channel('room')")
    outbox.once()
    assert outbox.delivery("room")["state"] == "delivered", outbox.delivery("room")
    assert company.inside.asked == ["hooks.slack.test:443"]
    assert len(receiver.requests(f"/word/200/ok/proxy-{MARK}")) == 1
    outbox.check_log()


@pytest.mark.once
def test_what_a_proxy_must_not_lead_to_is_not_asked_of_it(
    company: Company, fresh: Database, receiver: Receiver, tmp_path: Path
) -> None:
    hosts = [host for host in FORBIDDEN if not host.endswith(".test")] + ["localhost.", "a.localhost", "127.0.0.1."]
    outbox = behind(company, fresh, tmp_path, UPBEAT_ALERT_ALLOW="127.77.0.0/16")
    for number, host in enumerate(hosts):
        outbox.channel(f"c{number}", f"https://{host}:{receiver.port}/200/forbidden")
    outbox.channel("plain", f"http://127.77.0.1:{receiver.port}/200/plain")
    fresh.rows("select test_alert_channel(name) from channels")
    outbox.once()
    said = dict(fresh.rows("select channel, said from deliveries where channel <> 'plain'"))
    assert len(said) == len(hosts)
    assert {why for why in said.values() if not why.startswith("the address is not")} <= {"the name can't be resolved"}
    assert company.inside.asked == [] and "127.77" not in (tmp_path / "tinyproxy.log").read_text()


def test_a_proxy_that_refuses_or_is_away_is_named(company: Company, fresh: Database, tmp_path: Path) -> None:
    for user, port, why in (("", "", "the proxy refuses the request"), ("", "1", "the proxy can't be reached")):
        outbox = behind(company, fresh, tmp_path, user)
        if port:
            outbox.environment["UPBEAT_ALERT_PROXY"] = f"http://127.0.0.1:{port}"
        outbox.channel(f"room{port}", f"https://hooks.slack.test/200/{MARK}", "slack")
        fresh.rows("select test_alert_channel(%s)", f"room{port}")
        outbox.once()
        assert (outbox.delivery(f"room{port}")["state"], outbox.delivery(f"room{port}")["said"]) == ("waiting", why)
        outbox.check_log()


# --- Mail ----------------------------------------------------------------------------------------------------


@pytest.fixture
def sendmail(tmp_path: Path) -> Callable[[str], str]:
    """A program that does this, with the message in its standard input."""

    def make(script: str) -> str:
        file = tmp_path / "sendmail"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return str(file)

    return make


def test_mail_goes_through_sendmail(
    outbox: Outbox, receiver: Receiver, sendmail: Callable[[str], str], tmp_path: Path
) -> None:
    script = f'echo "$#" "$@" >{tmp_path}/args; env >{tmp_path}/env; ls /proc/self/fd >{tmp_path}/fds'
    script += f"; cat >{tmp_path}/mail"
    outbox.environment["UPBEAT_SENDMAIL"] = sendmail(script)
    outbox.channel("desk", "desk@example.org", "mail")
    outbox.host("a.example")
    outbox.event("a.example")
    outbox.once()
    assert outbox.delivery("desk")["state"] == "delivered"
    assert (tmp_path / "args").read_text() == "2 -i -t\n"
    assert "UPBEAT" not in (tmp_path / "env").read_text()
    assert set((tmp_path / "fds").read_text().split()) <= {"0", "1", "2", "3"}
    assert "desk@example.org" in (tmp_path / "mail").read_text().split("\n\n")[0]


@pytest.mark.parametrize(
    "script, state, said",
    [
        ("exit 75", "waiting", "sendmail ended with 75"),
        ("exit 67", "refused", "sendmail ended with 67"),
        ("kill -9 $$", "waiting", "sendmail did not end within 10 s, or was killed"),
        (None, "waiting", "sendmail can't be started"),
    ],
)
def test_a_mail_that_fails(
    outbox: Outbox, sendmail: Callable[[str], str], script: str | None, state: str, said: str
) -> None:
    outbox.environment["UPBEAT_SENDMAIL"] = sendmail(script) if script else "/nowhere/sendmail"
    outbox.channel("desk", "desk@example.org", "mail")
    outbox.database.rows("select test_alert_channel('desk')")
    outbox.once()
    found = outbox.delivery("desk")
    assert (found["state"], found["said"]) == (state, said)


@pytest.mark.unhurried
def test_a_mail_that_hangs_holds_up_nobody(
    outbox: Outbox, receiver: Receiver, sendmail: Callable[[str], str], tmp_path: Path
) -> None:
    outbox.environment["UPBEAT_SENDMAIL"] = sendmail(f"echo $$ >{tmp_path}/pid; sleep 100")
    outbox.channel("desk", "desk@example.org", "mail")
    outbox.channel("hook", f"{receiver.url}/200/beside-mail")
    outbox.run()
    outbox.database.rows("select test_alert_channel('desk')")
    await_true(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    outbox.database.rows("select test_alert_channel('hook')")
    receiver.await_requests("/200/beside-mail", within_s=4)
    await_true(lambda: outbox.delivery("desk")["said"], 15)
    await_true(lambda: is_over(int((tmp_path / "pid").read_text())))


def is_over(pid: int) -> bool:
    """Ended, be it waited for or not."""
    try:
        return b") Z " in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return True


@pytest.mark.once
@pytest.mark.unhurried
def test_a_mail_that_cannot_be_killed_holds_up_nobody(
    outbox: Outbox, receiver: Receiver, sendmail: Callable[[str], str], tmp_path: Path
) -> None:
    """As a setuid one can't be. This one leaves the process group that is killed."""
    leave = "import os; os.setpgid(0, os.getpgid(os.getppid()))"
    outbox.environment["UPBEAT_SENDMAIL"] = sendmail(
        f"""echo $$ >>{tmp_path}/pids; exec /usr/bin/python3 -c "{leave}
import time
while not os.path.exists('{tmp_path}/over'): time.sleep(0.1)" """
    )
    outbox.channel("desk", "desk@example.org", "mail")
    outbox.channel("hook", f"{receiver.url}/200/beside-a-stubborn-mail")
    outbox.run()
    outbox.database.rows("select test_alert_channel('desk')")
    await_true(lambda: (outbox.delivery("desk") or {}).get("said"), 15)
    outbox.database.rows("select test_alert_channel('hook')")
    receiver.await_requests("/200/beside-a-stubborn-mail", within_s=4)
    (tmp_path / "over").touch()
    outbox.database.rows("update outbox set next_try_at = now() where state = 'waiting'")
    await_true(lambda: outbox.delivery("desk")["state"] == "delivered", 15)
    first, *_ = (tmp_path / "pids").read_text().split()
    await_true(lambda: is_over(int(first)))
    outbox.database.rows("select test_alert_channel('desk')")
    await_true(lambda: not Path(f"/proc/{first}").exists(), what="it is waited for when the next mail is sent")


def test_a_parent_that_ignores_its_children_has_no_mail_sent_twice(
    outbox: Outbox, sendmail: Callable[[str], str], tmp_path: Path
) -> None:
    """SIGCHLD that is ignored is inherited, and then nobody can wait for a child."""
    outbox.environment["UPBEAT_SENDMAIL"] = sendmail(f"echo sent >>{tmp_path}/sent")
    outbox.channel("desk", "desk@example.org", "mail")
    outbox.run(before=["env", "--ignore-signal=CHLD"])
    outbox.database.rows("select test_alert_channel('desk')")
    await_true(lambda: outbox.delivery("desk").get("said") or outbox.delivery("desk").get("state") == "delivered", 20)
    assert outbox.delivery("desk")["state"] == "delivered"
    assert (tmp_path / "sent").read_text() == "sent\n"


# --- Sampling ------------------------------------------------------------------------------------------------


@pytest.mark.unhurried
def test_a_host_with_a_rule_is_sampled_more_often(outbox: Outbox) -> None:
    outbox.host("a.example")
    outbox.host("b.example")
    outbox.database.rows("insert into refreshes (host) values ('a.example'), ('b.example')")
    outbox.channel("hook", "https://hooks.example/x", rule=False)
    outbox.database.rows(
        "select add_alert_rule('hook', 'a.example', '{rise}', null, null, null, null, null, null, null, null, null)"
    )
    every = "select alert_every::text from hosts where host = %s"
    outbox.run()
    await_true(lambda: outbox.database.value(every, "a.example") == "00:00:15")
    assert outbox.database.value(every, "b.example") is None
    outbox.database.rows("select remove_alert_rule(rule_id) from channel_rules")
    await_true(lambda: outbox.database.value(every, "a.example") is None, 15)
