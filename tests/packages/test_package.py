"""The Debian package: what is in it, and that it is made of the same bytes each time."""

import subprocess
import shutil
import tempfile
from pathlib import Path
from typing import Iterator

import pytest

from servers.processes import ROOT

from .build import build, copy_tree, run

pytestmark = [pytest.mark.once, pytest.mark.unhurried]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept aside, since another test makes it again."""
    made = build()
    return Path(shutil.move(made, tmp_path_factory.mktemp("package") / made.name))


@pytest.fixture(scope="module")
def content(package: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="upbeat-deb-") as folder:
        run("dpkg-deb", "-x", package, folder)
        yield Path(folder)


def test_lintian_finds_nothing(package: Path) -> None:
    # Tags about unused overrides are information only, so they are asked for by name.
    assert run("lintian", "--allow-root", "--fail-on", "error,warning", package) == ""
    assert "unused-override" not in run("lintian", "--allow-root", "-I", package)


def test_two_builds_are_the_same_bytes(package: Path) -> None:
    """On one file system: Installed-Size is what du says there."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        other = build(copy_tree(Path(folder) / "another-place"))
        assert other.name == package.name
        assert other.read_bytes() == package.read_bytes()


def test_every_program_has_a_man_page(content: Path) -> None:
    programs = [one for folder in ("usr/bin", "usr/sbin") for one in (content / folder).iterdir()]
    pages = {page.name.split(".")[0] for page in content.glob("usr/share/man/man*/*.gz")}
    assert {one.name for one in programs} <= pages
    assert {"upbeat-setup", "upbeat-migrate", "upbeat-token", "upbeat-fetch"} <= {one.name for one in programs}


def test_the_sql_is_the_trees(content: Path) -> None:
    """All but its tests: a file that is left out shows on the operator's machine only."""
    root = Path(__file__).resolve().parents[2] / "sql"
    ours = {one.relative_to(root) for one in root.rglob("*") if one.is_file()}
    packed = content / "usr/share/upbeat/sql"
    assert {one.relative_to(packed) for one in packed.rglob("*") if one.is_file()} == {
        one for one in ours if one.parts[0] != "tests" and one.name != "README.md"
    }


def test_no_file_names_the_folder_that_it_was_built_in(content: Path) -> None:
    here = f"{Path(__file__).resolve().parents[2]}/".encode()
    named = [one for one in content.rglob("*") if one.is_file() and here in one.read_bytes()]
    assert not named


@pytest.mark.parametrize("unit", ["list@1", "reports@1", "fetch@1", "history", "alert"])
def test_a_service_is_confined(content: Path, unit: str) -> None:
    """The threshold is ten times the exposure level."""
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--root={content}", "--threshold=20"]
        + ["--no-pager", f"upbeat-{unit}.service"],
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0 and "Overall exposure level" in said.stdout, said.stdout + said.stderr
