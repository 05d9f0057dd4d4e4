"""What the READMEs and man pages say: commands, options, settings, files and links exist, and examples run."""

import functools
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable

import pytest

from servers.processes import ROOT, await_true, build_folder
from servers.stack import KEY, Stack, page

READMES = sorted(
    path for path in ROOT.rglob("README.md") if not {"build", ".git"} & set(path.relative_to(ROOT).parts)
)
MAN_PAGES = sorted((ROOT / "fcgi").rglob("*.[18]"))
PAGES = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in [*READMES, *MAN_PAGES]]
OUR_README = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in READMES]
SETTING = r"\b(?:UPBEAT|CHARTBEAT)_[A-Z_]*[A-Z]\b"
TEST_SETTINGS = {"UPBEAT_TRAFFIC_DIR", "UPBEAT_MEMORY_REQUESTS", "UPBEAT_BUILD", "UPBEAT_FUZZ_SECONDS"}
# Programs that were, and are named where an upgrade is told.
GONE = {"upbeat-collect"}
# Parts of the package and of the alerts that this tree does not have yet.
PROGRAM_SETTINGS = {"UPBEAT_MIGRATE_LOCK_TIMEOUT_MS"}  # of one script, which says so in its man page
PENDING: set[str] = set()


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").replace("\\-", "-").replace("\\(aq", "'")


@functools.cache
def help_of(program: str) -> str:
    """Of one of our programs or scripts; "" where there is none of that name."""
    built = build_folder() / "fcgi" / program
    place = built if built.exists() else next((ROOT / "fcgi").rglob(program), ROOT / program)
    if program == "upbeat-migrate":
        place = ROOT / "sql" / "migrate"  # as it is called where it is installed
    if not place.is_file():
        return ""
    said = subprocess.run([place, "--help"], capture_output=True, text=True, timeout=20)
    return said.stdout + said.stderr


def known_settings() -> set[str]:
    return set(re.findall(rf"^  ({SETTING})=", help_of("upbeat-fcgi") + help_of("up"), re.M))


def test_the_first_readme_is_for_somebody_in_a_hurry() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("path", PAGES)
def test_settings_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(SETTING, text_of(path)))
    others = TEST_SETTINGS | PROGRAM_SETTINGS | set(re.findall(SETTING, upbeat_cache_names()))
    assert named <= known_settings() | others, path


def upbeat_cache_names() -> str:
    """What nginx tells a worker with a request."""
    return "".join(path.read_text() for path in (ROOT / "nginx" / "snippets").glob("*.conf"))


def test_each_setting_is_in_a_readme() -> None:
    table = (ROOT / "fcgi" / "README.md").read_text()
    rows = set(re.findall(rf"^\| `({SETTING})` \|", table, re.M))
    assert rows >= known_settings()


@pytest.mark.parametrize("path", PAGES)
def test_programs_and_their_commands_exist(path: Path) -> None:
    text = text_of(path)
    programs = set(re.findall(r"(?<![\w/.-])upbeat-[a-z]+(?![\w.*-])", text)) - GONE - PENDING
    units = {unit.name.split("@")[0].split(".")[0] for unit in (ROOT / "fcgi").rglob("*.[st]*")}
    others = units | {"upbeat-box", "upbeat-reports", "upbeat-row", "upbeat-gap"}
    for program in programs - others:
        assert help_of(program), f"{program} is no program of ours"
    line = r"^(?: *|set .*; )(upbeat-[a-z]+) ([a-z]+(?: (?:add|list|test|remove))?)\b"
    for program, command in re.findall(line, text, re.M):
        words = f"{program} {command}"
        if program in PENDING or any(words.startswith(one) for one in PENDING) or program not in programs:
            continue
        if re.search(rf"^  {program} [a-z]+", help_of(program), re.M) and "." not in command:
            assert re.search(rf"\b{command}\b", help_of(program)), words


@pytest.mark.parametrize("path", PAGES)
def test_options_that_are_named_exist(path: Path) -> None:
    """In lines of commands: an option of a program of ours is one that its --help lists."""
    text = text_of(path)
    for line in re.findall(r"^.*\bupbeat-[a-z]+ .*$", text, re.M):
        ours = r"(?<![\w/.-])(upbeat-(?:token|fetch|history|import|backtest|fcgi))((?: [^|;&#`]*)?)"
        for program, rest in re.findall(ours, line):
            for option in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", rest):
                assert option in help_of(program), f"{program} {option}"


def test_man_pages_have_each_option_of_their_program() -> None:
    for path in MAN_PAGES:
        if path.stem in PENDING:
            continue
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", help_of(path.stem))) - {"--help"}
        text = text_of(path)
        missing = {one for one in options if one not in text and f"Fl {one[1:]}" not in text.replace("Fl Fl ", "Fl -")}
        # Examples of starting a program name options of others.
        assert not missing, f"{path.name}: {missing}"


@pytest.mark.parametrize("path", OUR_README)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", OUR_README)
def test_files_that_are_named_exist(path: Path) -> None:
    """`folder/file` in back-ticks, from the top or from the README's own folder."""
    folders = r"fcgi|lib|sql|nginx|tests|snippets|functions|views|board|api|pages|store|refresh|upstream|http"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*\w)[ `]", path.read_text()):
        places = [ROOT / name, path.parent / name]
        assert any(place.exists() for place in places) or (ROOT / "build" / name).exists(), name


@pytest.mark.parametrize("path", OUR_README)
def test_shell_examples_are_shell(path: Path) -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", path.read_text(), re.M | re.S):
        said = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr + block


# Examples, run


@pytest.fixture(scope="module")
def stack(new_stack: Callable[..., Stack]) -> Stack:
    one = new_stack(UPBEAT_TTL_MS="200", UPBEAT_STALE_MS="10000")
    host = "demo.example"
    one.simulator.script(host, [page("/", 100), page("/sport/", 50)])
    assert one.rising(host).status == 200
    one.turn(host, [page("/", 120), page("/sport/", 60)])
    return one


def test_the_curl_lines_answer(stack: Stack) -> None:
    lines = re.findall(r"^curl .*$", (ROOT / "README.md").read_text(), re.M)
    assert lines
    for line in lines:
        command = line.replace("127.0.0.1:8080", f"127.0.0.1:{stack.nginx.port}") + " --noproxy '*'"
        said = subprocess.run(
            ["bash", "-euc", command],
            env={"TOKEN": KEY, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert said.returncode == 0 and isinstance(json.loads(said.stdout), list), said


@pytest.mark.parametrize("name", ["README.md", "sql/README.md", "lib/pages/README.md"])
def test_the_psql_lines_run(stack: Stack, name: str) -> None:
    blocks = re.findall(r"^```\n(upbeat=> .*?)^```", (ROOT / name).read_text(), re.M | re.S)
    assert blocks
    for block in blocks:
        statements = re.findall(r"^upbeat=> (\\set .*?$|.*?;)$", block, re.M | re.S)
        assert statements
        psql = [shutil.which("psql") or "psql", stack.database.conninfo("upbeat"), "-XAtq", "-v", "ON_ERROR_STOP=1"]
        said = subprocess.run(psql, input="\n".join(statements) + "\n", capture_output=True, text=True, timeout=30)
        assert said.returncode == 0, said.stderr


def test_every_get_of_the_api_page_is_a_route(stack: Stack) -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "lib" / "api" / "README.md").read_text()
    named = set(re.findall(r"`/(?:api/v1\.0/)?([a-z]+)`", text)) - {"healthz", "readyz", "metrics"}
    routes = set(stack.ask("/api/v1.0/openapi.json").json["paths"])
    assert {f"/api/v1.0/{name}" for name in named} <= routes, named
    assert await_true(lambda: stack.ask("/healthz").status == 200)
