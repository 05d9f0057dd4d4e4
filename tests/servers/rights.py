"""What only root may do, through sudo where we are not root; a test that needs it is skipped where there is neither."""

import contextlib
import functools
import os
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest


@functools.cache
def as_root() -> list[str] | None:
    """Words in front of a command that run it as root; None where we may not: we are not root, and sudo is not there
    or would ask for a password."""
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    try:
        return sudo if subprocess.run([*sudo, "true"], capture_output=True).returncode == 0 else None
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[None]:
    """A file system of that size, in memory and ours, over a folder. The test is skipped where we may not mount one."""
    root = as_root()
    if root is None:
        pytest.skip("a file system can't be mounted here: that needs root, or sudo without a password")
    options = f"size={megabytes}m,mode=0755,uid={os.geteuid()},gid={os.getegid()}"
    mount = [*root, "mount", "-t", "tmpfs", "-o", options, "upbeat", str(place)]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("a file system can't be mounted here: " + done.stderr.strip())
    try:
        yield
    finally:
        subprocess.run([*root, "umount", "-l", str(place)], check=True)


def private_kb(pid: int) -> int:
    """Memory that the process shares with no other. Our programs let nobody but root look; the test is skipped where we
    may not."""
    root = as_root()
    if root is None:
        pytest.skip("a worker's memory can't be read here: that needs root, or sudo without a password")
    command = [*root, "cat", f"/proc/{pid}/smaps_rollup"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))
