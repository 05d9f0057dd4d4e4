"""Each bad setting stops the start with its name, what was given, and what it may be."""

import re
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from servers.processes import ROOT, worker_program

NUMBERS = {
    # name: (least, most)
    "CHARTBEAT_LIMIT": (1, 10000),
    "UPBEAT_TTL_MS": (100, 60000),
    "UPBEAT_STALE_MS": (100, 600000),
    "UPBEAT_STALE_ERROR_MS": (100, 300000),
    "UPBEAT_UPSTREAM_TIMEOUT_MS": (50, 4000),
    "UPBEAT_DEADLINE_MS": (1000, 5000),
    "UPBEAT_WORKERS": (1, 256),
    "UPBEAT_RATE_PER_MINUTE": (3, 60000),
}
BAD = [
    (name, str(value), f"{least} to {most}")
    for name, (least, most) in NUMBERS.items()
    for value in (
        least - 1,
        most + 1,
        "",
        "x",
        "1.5",
        "1e3",
        " 7",
        "+7",
        "7 ",
        "99999999999999999999",
    )
    if value != ""
] + [
    ("CHARTBEAT_URL", "api.chartbeat.com/live", "http(s)://"),
    ("CHARTBEAT_URL", "ftp://api.chartbeat.com/live/", "http(s)://"),
    ("CHARTBEAT_URL", "https://api.chartbeat.com", "http(s)://"),
    ("CHARTBEAT_URL", "https://user@api.chartbeat.com/x", "without user"),
    ("CHARTBEAT_URL", "https://api.chartbeat.com/x?apikey=1", "query"),
    ("CHARTBEAT_URL", "https://api.chartbeat.com/x y", "http(s)://"),
    ("UPBEAT_PREPARE", "yes", "on or off"),
    ("UPBEAT_LOG", "loud", "error, warning, info, debug"),
]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_bytes(b"x" * 32)
    file.chmod(0o600)
    return file


def check_fetcher(secret: Path) -> subprocess.CompletedProcess[str]:
    """The fetcher alone reads the secret."""
    environment = {"UPBEAT_SECRET_FILE": str(secret), "LC_ALL": "C.UTF-8"}
    program = worker_program().parent / "upbeat-fetch"
    return subprocess.run([program, "--once"], env=environment, capture_output=True, text=True, timeout=20)


def check(secret: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {"UPBEAT_SECRET_FILE": str(secret), "LC_ALL": "C.UTF-8"} | settings
    return subprocess.run(
        [worker_program(), "--check"], env=environment, capture_output=True, text=True, timeout=20
    )


def test_the_defaults_are_good(secret: Path) -> None:
    assert check(secret).returncode == 0


@pytest.mark.parametrize("name", NUMBERS)
def test_an_empty_value_stands_for_the_default(secret: Path, name: str) -> None:
    assert check(secret, **{name: ""}).returncode == 0


@pytest.mark.parametrize("name, value, allowed", BAD)
def test_a_bad_value_is_named_with_what_it_may_be(
    secret: Path, name: str, value: str, allowed: str
) -> None:
    ended = check(secret, **{name: value})
    assert ended.returncode == 2
    shown = "(not shown)" if name == "CHARTBEAT_URL" else value  # somebody may have put a key there
    assert f"{name}={shown[:80]}: must be" in ended.stderr and allowed in ended.stderr, ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"UPBEAT_TTL_MS": "5000", "UPBEAT_STALE_MS": "4000"}, "UPBEAT_STALE_MS"),
        ({"UPBEAT_STALE_MS": "5000", "UPBEAT_STALE_ERROR_MS": "4000"}, "UPBEAT_STALE_ERROR_MS"),
        (
            {"UPBEAT_DEADLINE_MS": "1000", "UPBEAT_UPSTREAM_TIMEOUT_MS": "600"},
            "UPBEAT_UPSTREAM_TIMEOUT_MS",
        ),
    ],
)
def test_bounds_that_leave_no_room_for_each_other(
    secret: Path, settings: dict[str, str], name: str
) -> None:
    ended = check(secret, **settings)
    assert ended.returncode == 2 and f"{name}={settings[name]}" in ended.stderr


@pytest.mark.parametrize(
    "size_bytes, mode, said",
    [
        (0, 0o600, "32"),
        (31, 0o600, "32"),
        (4097, 0o600, "4096"),
        (32, 0o644, "0600"),
        (32, 0o660, "0600"),
    ],
)
def test_a_bad_secret_file(secret: Path, size_bytes: int, mode: int, said: str) -> None:
    secret.write_bytes(b"k" * size_bytes)
    secret.chmod(mode)
    ended = check_fetcher(secret)
    assert ended.returncode == 2 and f"UPBEAT_SECRET_FILE={secret}" in ended.stderr
    assert said in ended.stderr and "kkk" not in ended.stderr


def test_a_missing_secret_file(secret: Path) -> None:
    secret.unlink()
    ended = check_fetcher(secret)
    assert ended.returncode == 2 and "UPBEAT_SECRET_FILE=" in ended.stderr


@pytest.mark.parametrize("name", ["UPBEAT_DATABASE", "UPBEAT_DATABASE_READ"])
@pytest.mark.parametrize(
    "value",
    [
        "hots=a password=hush",
        "hush",
        "password=a hush",
        "host='a hush",
        "postgresql://a:hush@[b/c",
        "postgresql://a:b@hush%2F@c/d",  # a password with an @ makes a part of it the host
        "postgresql://a:hush/b@c/d",  # and one with a slash the port
    ],
)
def test_a_connection_string_that_libpq_cannot_read(secret: Path, name: str, value: str) -> None:
    ended = check(secret, **{name: value})
    assert ended.returncode == 2 and f"{name}=(not shown): must be a connection string" in ended.stderr, ended.stderr
    assert "hush" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    "words", ["upbeat-fetch --once", "upbeat-history --once", "upbeat-alert --once", "upbeat-token list"]
)
@pytest.mark.parametrize("value", ["password=a hush", "postgresql://a:b@hush%2F@c/d", "postgresql://a:hush/b@c/d"])
def test_no_program_says_a_part_of_a_password(secret: Path, words: str, value: str) -> None:
    program, word = words.split()
    environment = {"UPBEAT_SECRET_FILE": str(secret), "LC_ALL": "C.UTF-8", "UPBEAT_DATABASE": value}
    command = [worker_program().parent / program, word]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0 and "the connection string can't be read" in ended.stderr, ended.stderr
    assert "hush" not in ended.stderr + ended.stdout


@pytest.mark.parametrize(
    "value", ["", "host=a,b,@c port=1,,2 target_session_attrs=prefer-standby", "postgresql://u@a,b:7/c"]
)
def test_a_connection_string_that_libpq_can_read(secret: Path, value: str) -> None:
    assert check(secret, UPBEAT_DATABASE_READ=value).returncode == 0


def test_a_connection_string_is_never_shown(secret: Path) -> None:
    ended = check(secret, UPBEAT_DATABASE="password=hush", UPBEAT_TTL_MS="x")
    assert "hush" not in ended.stderr + ended.stdout


def test_help_names_each_setting_with_default_and_range() -> None:
    said = subprocess.run([worker_program(), "--help"], capture_output=True, text=True, check=True)
    for name, (least, most) in NUMBERS.items():
        assert f"{name}=" in said.stdout and f"from {least} to {most}" in said.stdout
    for name in (
        "UPBEAT_DATABASE",
        "CHARTBEAT_URL",
        "UPBEAT_PREPARE",
        "UPBEAT_SECRET_FILE",
        "UPBEAT_RUN_DIR",
        "UPBEAT_LOG",
    ):
        assert f"{name}=" in said.stdout


def test_an_unknown_argument_is_refused() -> None:
    ended = subprocess.run([worker_program(), "--frobnicate"], capture_output=True, text=True)
    assert ended.returncode == 2 and "--frobnicate: no such option" in ended.stderr


def test_without_a_listening_socket_it_says_how_to_be_started(secret: Path, tmp_path: Path) -> None:
    ended = subprocess.run(
        [worker_program()],
        env={"UPBEAT_SECRET_FILE": str(secret), "UPBEAT_RUN_DIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 1 and "spawn-fcgi" in ended.stderr


# fcgi/up and the system have other defaults for these than the programs.
OF_UP = {
    "UPBEAT_DATABASE",
    "UPBEAT_SECRET_FILE",
    "UPBEAT_RUN_DIR",
    "UPBEAT_FETCH_SOCKET",
    "CHARTBEAT_URL",
    "SSL_CERT_FILE",
}


def help_of(program: Path) -> str:
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout


def defaults_of_program() -> dict[str, str]:
    text = help_of(worker_program())
    return dict(re.findall(r"^  ([A-Z_]+)=(.*)$", text, re.MULTILINE))


def defaults_of_up() -> dict[str, str]:
    text = help_of(ROOT / "fcgi" / "up")
    rows = re.findall(r'^  ([A-Z_]+)=("[^"]*"|\S*)', text, re.MULTILINE)
    return {name: value.strip('"') for name, value in rows}


def defaults_of_readme() -> dict[str, str]:
    text = (ROOT / "fcgi" / "README.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", text, re.MULTILINE)
    return {name: value.strip().strip("`") for name, value in rows}


@pytest.mark.parametrize("described", [defaults_of_up, defaults_of_readme])
def test_every_description_has_the_programs_defaults(described: Callable[[], dict[str, str]]) -> None:
    program = {name: value for name, value in defaults_of_program().items() if name not in OF_UP}
    shown = described()
    assert {name: shown.get(name, "not there") for name in program} == program


def test_man_pages_name_only_settings_that_there_are() -> None:
    known = defaults_of_program().keys() | defaults_of_up().keys()
    for page in (ROOT / "fcgi").glob("*.[18]"):
        named = set(re.findall(r"\b(?:UPBEAT|CHARTBEAT)_[A-Z_]+", page.read_text()))
        assert named <= known, page.name
