"""Makes packages out of the tree, as the README says."""

import os
import shutil
import subprocess
from pathlib import Path

from servers.processes import ROOT


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """What it says; AssertionError with that where it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"
    return done.stdout


def build(tree: Path = ROOT, *definitions: str) -> Path:
    """The package of this tree, by the two commands that make it."""
    folder = tree / "build" / "release"
    for old in folder.glob("upbeat_*.deb"):
        old.unlink()
    run("cmake", "--preset", "release", *definitions, cwd=tree)
    run("cmake", "--build", "--preset", "package", cwd=tree)
    (made,) = folder.glob("upbeat_*.deb")
    return made


def copy_tree(to: Path) -> Path:
    """The sources at another path, without what was built."""
    left_out = shutil.ignore_patterns("build", ".git", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, to, symlinks=True, ignore=left_out)
    return to
