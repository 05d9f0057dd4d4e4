"""The page for operators: what it says to type is shell, and its files are those of fcgi/cluster.
`tests/packages/operators` follows it on three machines."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from packages.page import read_page
from servers.processes import ROOT

pytestmark = [pytest.mark.once]

CLUSTER = ROOT / "fcgi" / "cluster"
PIECES = read_page()
NOT_RENDERED = {"render", "machine.sh", "pgbackrest.conf"}


def test_every_block_is_shell_and_says_where_it_is_typed() -> None:
    assert len(PIECES) > 30
    for piece in PIECES:
        said = subprocess.run(["bash", "-n"], input=piece.script, capture_output=True, text=True)
        assert said.returncode == 0, f"{piece.name}: {said.stderr}"


def test_every_file_of_the_folder_is_used_and_no_other() -> None:
    named = set(re.findall(r"\./render ([\w.-]+)", "".join(piece.script for piece in PIECES)))
    assert named == {path.name for path in CLUSTER.iterdir()} - NOT_RENDERED


@pytest.fixture
def operators_folder(tmp_path: Path) -> Path:
    """As the page makes it, on a machine that has the second address."""
    (make,) = [piece.script for piece in PIECES if "cat >cluster.env" in piece.script]
    (values,) = re.findall(r"^cat >cluster\.env <<EOF\n.*?^EOF\n", make, re.M | re.S)
    folder = tmp_path / "cluster"
    shutil.copytree(CLUSTER, folder)
    subprocess.run(["bash", "-euc", values], cwd=folder, check=True)
    (tmp_path / "hostname").write_text("#!/bin/sh\necho 192.0.2.7 10.0.0.2\n")
    (tmp_path / "hostname").chmod(0o755)
    return folder


def render(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    path = {"PATH": f"{folder.parent}:/usr/bin:/bin"}
    return subprocess.run([folder / "render", name], env=path, cwd="/", capture_output=True, text=True)


def test_no_place_is_left_open_in_a_file_that_was_rendered(operators_folder: Path) -> None:
    for path in CLUSTER.iterdir():
        said = render(operators_folder, path.name)
        assert said.returncode == 0, said.stderr
        assert path.name in NOT_RENDERED or not re.search(r"@[A-Z_]+@", said.stdout), path.name
    assert "name: b\n" in render(operators_folder, "patroni.yml").stdout
    assert "connect_address: 10.0.0.2:5432" in render(operators_folder, "patroni.yml").stdout


def test_render_says_what_is_missing(operators_folder: Path) -> None:
    assert "./render FILE" in render(operators_folder, "nothing.conf").stderr
    values = operators_folder / "cluster.env"
    values.write_text(values.read_text().replace("10.0.0.2", "10.0.0.9"))
    said = render(operators_folder, "etcd.env")
    assert said.returncode != 0 and "none of the addresses" in said.stderr
