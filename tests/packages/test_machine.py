"""A stranger's way through the package, on a bare Debian 12 with its own systemd: install, set up, use, upgrade, back
up and restore, remove, purge. The tests use one machine, in this order."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator

import pytest

from servers.processes import ROOT, await_true

from .build import build, copy_tree
from .machine import Beside, Machine, find_base
from .test_settings_file import TAKEN

pytestmark = [pytest.mark.once, pytest.mark.unhurried, pytest.mark.slow]

HOST, KEY = "demo.example", "demo-key-0001"
LIST = f"/api/v1.0/increasingconcurrents?host={HOST}"
NEXT = "9.0.0"
PSQL = "cd / && runuser -u postgres -- psql -XAtqd upbeat -c"
SERVICES = ["list@1", "list@2", "reports@1", "reports@2", "fetch@1", "fetch@2", "history", "alert"]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """This version's, and the next one's, which has a migration more."""
    folder = tmp_path_factory.mktemp("packages")
    tree = copy_tree(folder / "next")
    (tree / "sql" / "900_next.sql").write_text("create table next_version (number integer);\n")
    now, after = build(), build(tree, f"-DUPBEAT_VERSION={NEXT}")
    return Path(shutil.copy(now, folder)), after


@pytest.fixture(scope="module")
def machine(packages: tuple[Path, Path]) -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("only root may make a machine")
    one = Machine(find_base(packages[0], "msmtp"), Path("/tmp") / f"upbeat-machine-{os.getpid()}").start()
    yield one
    one.stop()


@pytest.fixture(scope="module")
def simulator(machine: Machine) -> Iterator[Beside]:
    """Chartbeat, as far as the machine knows."""
    options = ["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"]
    one = machine.start_beside("/usr/bin/python3", "-B", str(ROOT / "tests" / "simulator"), *options)
    yield one
    one.stop()


@pytest.fixture(scope="module")
def installed(machine: Machine, packages: tuple[Path, Path]) -> Machine:
    machine.put(packages[0], "/root")
    machine.ask("apt-get", "install", "-y", "-q", f"/root/{packages[0].name}")
    return machine


@pytest.fixture(scope="module")
def service(installed: Machine, simulator: Beside) -> Machine:
    """Set up, and its host known."""
    url = re.search(r"upstream=(\S+)", simulator.ready)
    assert url, simulator.ready
    installed.shell(f"echo CHARTBEAT_URL={url[1]}/live/toppages/v3/ >>/etc/upbeat/upbeat.env")
    installed.ask("upbeat-setup")
    await_true(lambda: installed.get(LIST, f"X-CB-AK: {KEY}")[0] == 200, 20, "the first list")
    return installed


def rises(machine: Machine) -> bool:
    status, body = machine.get(LIST, f"X-CB-AK: {KEY}")
    assert status == 200, body
    return len(json.loads(body)) > 0


@contextlib.contextmanager
def a_line_more(machine: Machine, line: str) -> Iterator[None]:
    """In the settings, for a while."""
    machine.shell(f'cp -p /etc/upbeat/upbeat.env /root/ && echo "{line}" >>/etc/upbeat/upbeat.env')
    try:
        yield
    finally:
        machine.shell("mv /root/upbeat.env /etc/upbeat/")


def nginx_workers(machine: Machine) -> set[str]:
    master = machine.show("nginx", "MainPID")
    return set(machine.ask("cat", f"/proc/{master}/task/{master}/children").split())


def test_the_package_starts_nothing_by_itself(installed: Machine) -> None:
    assert installed.ask("systemctl", "list-units", "--no-legend", "upbeat*").strip() == ""
    assert installed.ask("stat", "-c", "%a %U:%G", "/etc/upbeat/secret") == "640 root:upbeat_secret\n"
    assert installed.ask("stat", "-c", "%a %U:%G", "/etc/upbeat/upbeat.env") == "600 root:root\n"
    assert installed.ask("ls", "-A", "/run/upbeat") == "metrics\n"
    assert installed.ask("dpkg", "--verify", "upbeat", check=False) == ""


def test_setup_says_first_what_it_would_do(installed: Machine) -> None:
    said = installed.ask("upbeat-setup", "--dry-run")
    assert "would make the database upbeat" in said and "would start upbeat-list@1.service" in said
    assert "upbeat" not in installed.shell("runuser -u postgres -- psql -l")
    assert installed.ask("systemctl", "list-units", "--no-legend", "upbeat*").strip() == ""


@pytest.mark.parametrize(
    "options, why",
    [
        (["--listen", "nowhere"], "--listen nowhere: must be ADDRESS:PORT"),
        (["--workers", "1"], "--workers 1: must be a number from 2 to 64"),
        (["--workers"], "--workers needs a value"),
        (["--server-name", "a;b"], "--server-name a;b: must be a host's name"),
        (["--sideways"], "--sideways: no such option"),
    ],
)
def test_setup_refuses_what_it_does_not_know(installed: Machine, options: list[str], why: str) -> None:
    assert why in installed.ask("upbeat-setup", *options, check=False)


def test_systemd_reads_the_settings_as_the_shell_does(installed: Machine) -> None:
    lines = [line.replace("A=", f"A{number}=", 1) for number, (line, _) in enumerate(TAKEN)]
    (installed.root / "root" / "lines").write_text("\n".join(lines) + "\n")
    said = installed.ask("systemd-run", "-q", "--pipe", "--wait", "-p", "EnvironmentFile=/root/lines", "env")
    read = {line for line in said.splitlines() if re.match(r"A\d+=", line)}
    assert read == {f"A{number}={value}" for number, (_, value) in enumerate(TAKEN) if value is not None}


def test_a_setting_that_the_shell_reads_in_another_way_is_refused(installed: Machine) -> None:
    with a_line_more(installed, "UPBEAT_LOG=in'fo"):
        for program in ("upbeat-setup", "upbeat-token list", "upbeat-migrate"):
            said = installed.ask("bash", "-c", f"{program}; echo status $?", check=False)
            assert "put the value of UPBEAT_LOG into single quotes" in said and "status 0" not in said, said


def test_setup_takes_a_cluster_on_another_port_once_it_is_named(installed: Machine) -> None:
    named = "UPBEAT_DATABASE='dbname=upbeat port=N'"
    move = "pg_conftool 15 main set port {} && systemctl restart postgresql@15-main"
    installed.shell(move.format(5433))
    try:
        said = installed.ask("upbeat-setup", "--dry-run", check=False)
        assert "does not answer on port 5432" in said and named in said
        with a_line_more(installed, named.replace("N'", "5433'")):
            assert "would make the database upbeat" in installed.ask("upbeat-setup", "--dry-run")
    finally:
        installed.shell(move.format(5432))


def test_setup_leaves_no_site_on_an_address_that_is_taken(installed: Machine) -> None:
    """By another program, which nginx minds only at its next start; by Debian's own site, which it never minds."""
    serve = "import socket; one = socket.create_server(('127.0.0.1', 8080)); print('ready', flush=True); input()"
    other = installed.start_beside("/usr/bin/python3", "-Bc", serve)
    try:
        said = installed.ask("upbeat-setup", check=False)
    finally:
        other.stop()
    assert "something else than nginx listens on 127.0.0.1:8080" in said, said
    said = installed.ask("upbeat-setup", "--listen", "80", check=False)
    assert "another site of nginx has this address and name" in said, said
    assert "upbeat" not in installed.shell("ls /etc/nginx/sites-available /etc/nginx/sites-enabled")
    # It is still on in the nginx that runs, which is reloaded with the new site.
    installed.shell("mv /etc/nginx/sites-enabled/default /root/")
    try:
        said = installed.ask("upbeat-setup", "--listen", "80", "--dry-run")
        assert "would make the site" in said, said
    finally:
        installed.shell("mv /root/default /etc/nginx/sites-enabled/")


def test_setup_serves_rising_pages_and_the_board(service: Machine) -> None:
    await_true(lambda: rises(service), 60, "a rising page")
    status, page = service.get("/board/")
    assert status == 200 and "<title>" in page
    for file in re.findall(r'(?:src|href)="([a-z/.]+\.(?:js|css|svg))"', page):
        assert service.get(f"/board/{file}")[0] == 200, file
    chart = service.ask("ls", "/usr/share/javascript/chart.js/").split()
    assert service.get(f"/board/chart/{chart[0]}")[0] == 200
    for unit in SERVICES:
        assert service.show(f"upbeat-{unit}", "ActiveState") == "active", unit


def test_setup_changes_nothing_the_second_time(service: Machine) -> None:
    before = [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES]
    assert "nothing was to be done" in service.ask("upbeat-setup")
    # From another folder, with the locale of another machine, more cores, and the options that fit.
    there = "cd /root && LC_ALL=de_AT.UTF-8 OMP_NUM_THREADS=4 upbeat-setup"
    assert "nothing was to be done" in service.shell(f"{there} --listen 127.0.0.1:8080 --server-name _ 2>&1")
    assert "with another listen" in service.ask("upbeat-setup", "--listen", "8081", check=False)
    assert [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES] == before


def test_units_are_well_formed(service: Machine) -> None:
    """By systemd itself, where all that they name is installed."""
    units = "upbeat.target upbeat-{list,reports,fetch}@1.service upbeat-{history,alert}.service"
    said = service.shell(f"systemd-analyze verify --man=no {units} 2>&1")
    assert "upbeat" not in said


def test_workers_can_not_read_the_secret(service: Machine) -> None:
    read = "setpriv --reuid={0} --regid={0} --init-groups cat /etc/upbeat/secret"
    assert "Permission denied" in service.ask("sh", "-c", read.format("upbeat_worker"), check=False)
    assert "Permission denied" in service.ask("sh", "-c", read.format("upbeat_token"), check=False)
    assert len(service.ask("sh", "-c", read.format("upbeat_fetch"))) == 44


def test_programs_run_by_hand_have_the_services_settings(service: Machine) -> None:
    token = service.ask("upbeat-token", "add", "--host", HOST, "--may", "board", "--note", "a screen").splitlines()
    (token,) = [line for line in token if line.startswith("ubt_")]
    assert service.get(f"/api/v1.0/trends?host={HOST}", f"Authorization: Bearer {token}")[0] == 200
    assert "a screen" in service.ask("upbeat-token", "list")
    service.shell(f"echo {KEY} | upbeat-token key add {HOST}")
    service.ask("upbeat-fetch", "--once")
    service.ask("upbeat-history", "--once")
    assert service.ask("upbeat-migrate") == ""


def test_mail_leaves_the_confined_service_as_the_man_page_says(service: Machine) -> None:
    text = (ROOT / "fcgi" / "upbeat-alert.8").read_text()
    lines = re.search(r"^\.SH MAIL\n.*?^\.nf\n(.*?)^\.fi", text, re.M | re.S)
    assert lines
    mailbox = service.start_beside("/usr/bin/python3", "-B", str(Path(__file__).parent / "mailbox.py"))
    try:
        typed = lines[1].replace("\\-", "-").replace("\\e", "\\")
        said = service.shell(typed.replace("apt install", "apt-get install -y -q"))
    finally:
        got = mailbox.stop()
    assert "the test has reached desk" in said
    assert "To: desk@news.example" in got and "From: upbeat@news.example" in got, got


def test_a_worker_that_hangs_is_killed_and_started_anew(service: Machine) -> None:
    folder = "/run/systemd/system/upbeat-list@1.service.d"
    service.shell(f"mkdir -p {folder} && printf '[Service]\\nWatchdogSec=5\\n' >{folder}/soon.conf")
    service.shell("systemctl daemon-reload && systemctl restart upbeat-list@1")
    # It is ready by now: one that starts is not watched yet. In five seconds it gives a sign of life on any machine.
    pid = service.show("upbeat-list@1", "MainPID")
    service.shell(f"kill -STOP {pid}")
    await_true(lambda: service.show("upbeat-list@1", "MainPID") not in ("0", pid), 20, "another worker")
    assert "watchdog" in service.ask("journalctl", "-u", "upbeat-list@1", "-n", "30", "-o", "cat")
    service.shell(f"rm -r {folder} && systemctl daemon-reload && systemctl restart upbeat-list@1")


def test_an_upgrade_under_load_fails_no_request(service: Machine, packages: tuple[Path, Path]) -> None:
    service.put(packages[1], "/root")
    asker = service.start_beside(
        sys.executable, "-B", str(Path(__file__).parent / "asker.py"), "http://127.0.0.1:8080", KEY, HOST
    )
    old = [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES]
    fronts = nginx_workers(service)
    said = service.ask("apt-get", "install", "-y", "-q", f"/root/{packages[1].name}")
    answers = json.loads(asker.stop())
    assert "900_next.sql" in said and "functions" in said, said
    assert "restart upbeat-list@1" in said.partition("reload nginx")[2], "nginx has the new snippets first"
    await_true(lambda: not fronts & nginx_workers(service), 20, "workers of nginx that have read them")
    bad = [one for one in answers if one[3] != "200"]
    assert not bad, f"{bad[:5]} {service.shell('tail -n 9 /var/log/nginx/*error.log')}"
    assert len(answers) > 100
    versions = [version for *_, version in answers if version]
    assert versions[0] != NEXT and versions[-1] == NEXT
    # Each pool had an old process beside a new one.
    for first, second in (("list@1", "list@2"), ("reports@1", "reports@2"), ("fetch@1", "fetch@2")):
        began = int(service.show(f"upbeat-{first}", "ActiveEnterTimestampMonotonic"))
        ended = int(service.show(f"upbeat-{second}", "InactiveEnterTimestampMonotonic"))
        assert began < ended, f"the new {first} came after the old {second} had gone"
    assert not set(old) & {service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES}
    slowest = max(took for _, took, *_ in answers)
    print(f"{len(answers)} requests during the upgrade, the slowest took {slowest:.2f} s")


def test_an_upgrade_of_what_is_stopped_migrates_and_starts_it(service: Machine, packages: tuple[Path, Path]) -> None:
    service.shell("systemctl stop upbeat.target")
    service.shell(f"{PSQL} \"update schema_repeatables set checksum = checksum || '.'\"")
    said = service.ask("dpkg", "-i", f"/root/{packages[1].name}")
    assert "functions" in said and "start upbeat.target" in said, said
    for unit in SERVICES:
        assert service.show(f"upbeat-{unit}", "ActiveState") == "active", unit
    await_true(lambda: service.get(LIST, f"X-CB-AK: {KEY}")[0] == 200, 20, "a list")


def test_an_upgrade_waits_for_the_schema_of_a_database_elsewhere(service: Machine) -> None:
    """Of a server that this package does not migrate: the old processes go on with the schema that they know."""
    with a_line_more(service, "UPBEAT_DATABASE='host=/var/run/postgresql dbname=upbeat'"):
        service.shell(f"{PSQL} \"update schema_repeatables set checksum = checksum || '.'\"")
        old = [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES]
        assert "the old processes run on" in service.ask("upbeat-setup", "--upgrade")
        assert [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES] == old
        service.ask("systemctl", "stop", "upbeat.target")
        assert "nothing is started" in service.ask("upbeat-setup", "--upgrade")
        assert service.show("upbeat.target", "ActiveState") == "inactive"
        service.ask("systemctl", "start", "upbeat.target")
        old = [service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES]
        service.shell(f"{PSQL} \"update schema_repeatables set checksum = rtrim(checksum, '.')\"")
        assert "restart upbeat-list@1" in service.ask("upbeat-setup", "--upgrade")
        assert not set(old) & {service.show(f"upbeat-{unit}", "MainPID") for unit in SERVICES}
    service.ask("upbeat-setup", "--upgrade")


def test_the_secret_is_rotated_as_the_readme_says(service: Machine) -> None:
    lines = re.search(r"## The secret.*?```sh\n(.*?)```", (ROOT / "fcgi" / "README.md").read_text(), re.S)
    assert lines
    old = [service.show(f"upbeat-{unit}", "MainPID") for unit in ("fetch@1", "fetch@2", "alert")]
    secret = service.ask("cat", "/etc/upbeat/secret")
    said = service.shell(lines[1])
    assert "1 keys sealed anew, 0 left" in said and "1 channels of alerts sealed anew, 0 left" in said, said
    assert not set(old) & {service.show(f"upbeat-{unit}", "MainPID") for unit in ("fetch@1", "fetch@2", "alert")}
    assert service.ask("stat", "-c", "%a %U:%G", "/etc/upbeat/secret") == "640 root:upbeat_secret\n"
    assert service.ask("cat", "/etc/upbeat/secret") != secret


def test_a_backup_can_be_restored_as_the_readme_says(service: Machine) -> None:
    text = (ROOT / "sql" / "README.md").read_text()
    lines = re.search(r"## Backup and restore.*?```sh\n(.*?)```", text, re.S)
    assert lines and len(lines[1].splitlines()) == 5, "five lines of shell in sql/README.md"
    backup, *restore = lines[1].splitlines()
    service.shell(f"cd /root && {backup}")
    before = service.shell(f"{PSQL} 'select count(*) from apikeys'")
    tokens = service.shell(f"{PSQL} 'select count(*) from access_tokens'")
    assert before != "0\n" and tokens != "0\n"
    # The loss of all: another secret, and a database without what was in it.
    service.shell("systemctl stop upbeat.target && runuser -u postgres -- dropdb upbeat")
    service.shell("head -c 32 /dev/urandom | base64 -w 0 >/etc/upbeat/secret && upbeat-setup")
    assert service.shell(f"{PSQL} 'select count(*) from access_tokens'") == "0\n"
    service.shell("cd /root && " + "\n".join(restore))
    assert service.shell(f"{PSQL} 'select count(*) from apikeys'") == before
    assert service.shell(f"{PSQL} 'select count(*) from access_tokens'") == tokens
    # The fetcher opens the stored key with the secret.
    said = service.ask("upbeat-fetch", "--once", "-v", "--host", HOST)
    assert "stored" in said or "it has just been done" in said or "0 hosts were due" in said, said
    await_true(lambda: rises(service), 60, "a rising page")


def test_a_removal_keeps_what_is_the_operators(service: Machine) -> None:
    service.ask("apt-get", "remove", "-y", "-q", "upbeat")
    assert service.shell("ls /usr/libexec/upbeat 2>&1 || true").endswith("No such file or directory\n")
    assert service.ask("systemctl", "list-units", "--no-legend", "--state=active", "upbeat*").strip() == ""
    service.ask("test", "-s", "/etc/upbeat/secret")
    service.ask("nginx", "-t")


def test_a_purge_takes_all_but_the_database_and_says_so(service: Machine) -> None:
    said = service.ask("apt-get", "purge", "-y", "-q", "upbeat")
    assert "the database upbeat" in said and "dropdb" in said
    left = service.shell("find / -xdev -name '*upbeat*' -not -path '/root/*' && find /run /dev/shm -name '*upbeat*'")
    assert left == ""
    assert "upbeat" not in service.shell("cat /etc/passwd /etc/group")
    service.ask("nginx", "-t")
    assert "upbeat" in service.shell("cd / && runuser -u postgres -- psql -XAtl")
