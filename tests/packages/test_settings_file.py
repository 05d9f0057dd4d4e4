"""The lines of /etc/upbeat/upbeat.env, which systemd reads, and the shell as systemd does: a line of which it can't be
sure is refused. test_machine.py has systemd's reading of what is taken."""

import subprocess
from pathlib import Path

import pytest

from servers.processes import ROOT

READER = ROOT / "fcgi" / "debian" / "settings.sh"

# A line, and the value of A by both; None where it sets none.
TAKEN = [
    ("", None),
    ("  ", None),
    ("# a comment, with $HOME `id` 'and", None),
    ("; a comment of systemd's; echo no", None),
    ("  #A=1", None),
    ("A=", ""),
    ("A=word", "word"),
    ("  A=word  ", "word"),
    ("A=http://[::1]:80/a-b_c?d=1%20+2,3@x", "http://[::1]:80/a-b_c?d=1%20+2,3@x"),
    ("A=utm_*", "utm_*"),
    ("A=''", ""),
    ("A='host=db dbname=upbeat'", "host=db dbname=upbeat"),
    ("A='p$ecret `id` \\n \"x\" #;&|~'", "p$ecret `id` \\n \"x\" #;&|~"),
    ("A='Ελλάδα'", "Ελλάδα"),
    ('A="host=a,b it\'s #;&"', "host=a,b it's #;&"),
    ("A='last'   ", "last"),
    ("A=x y", "x y"),
    ("A=  x  y \t ", "x  y"),
    ("A=p$ecret", "p$ecret"),
    ("A=url?a=b&c=d", "url?a=b&c=d"),
    ("A=host=db dbname=upbeat", "host=db dbname=upbeat"),
    ("A=~root", "~root"),
    ("A=a;b", "a;b"),
    ("A=a#b # c", "a#b # c"),
    ("A=`id`", "`id`"),
    ("A=(a)", "(a)"),
    ("A=   ", ""),
    ("A=Ελλάδα ή", "Ελλάδα ή"),
]
# A line that the two read in two ways, or one of them not at all.
REFUSED = [
    'A=p$ecret"',
    "A=a\\b",
    "A=it's",
    "A='a'b",
    "A='a' # b",
    "A='a",
    'A="p$ecret"',
    'A="a`id`"',
    'A="a\\"b"',
    "A=('a')",
    "A='a'\r",
]
NAMELESS = ["export A=1", "A", "A = 1", "1A=1", "touch /tmp/x", "# goes on \\"]


def read(shell: str, file: Path) -> subprocess.CompletedProcess[str]:
    script = f'unset A; . {READER} && read_settings "$1" && printf "%s" "${{A-unset}}"'
    command = [shell, "-euc", script, "upbeat-x", str(file)]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": "/bin"})


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("line, value", TAKEN)
def test_a_line_is_taken(tmp_path: Path, shell: str, line: str, value: str | None) -> None:
    file = tmp_path / "env"
    file.write_text(f"# first\n{line}\n")
    said = read(shell, file)
    assert (said.returncode, said.stdout, said.stderr) == (0, "unset" if value is None else value, "")


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("line", REFUSED + NAMELESS)
def test_a_line_is_refused_without_its_value(tmp_path: Path, shell: str, line: str) -> None:
    file = tmp_path / "env"
    file.write_text(f"B=1\n{line}\nA=2\n", newline="")
    said = read(shell, file)
    why = "must be NAME='VALUE'" if line in NAMELESS else "put the value of A into single quotes"
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"upbeat-x: {file} line 2: {why}") and len(said.stderr.splitlines()) == 1
    assert "ecret" not in said.stderr


def test_a_file_that_is_missing_has_no_settings(tmp_path: Path) -> None:
    assert read("dash", tmp_path / "none").stdout == "unset"


def test_the_packages_own_files_are_taken() -> None:
    cluster = ROOT / "fcgi" / "cluster"
    for file in (ROOT / "fcgi" / "debian" / "upbeat.env", cluster / "upbeat.env", cluster / "owner.env"):
        assert read("dash", file).returncode == 0, file
