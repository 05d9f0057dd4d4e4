"""What all classes for real servers share: free ports, awaiting a condition, ending a process."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, TypeVar

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 10.0
LEAST_PORT = 10000

T = TypeVar("T")


def build_folder() -> Path:
    """Of the programs under test; UPBEAT_BUILD is release (default), dev or sanitize."""
    return ROOT / "build" / os.environ.get("UPBEAT_BUILD", "release")


def worker_program() -> Path:
    return build_folder() / "fcgi" / "upbeat-fcgi"


_ports: list[socket.socket] = []


def free_port() -> int:
    """Ours until we end: a name of the kernel's keeps it from other runs of tests, and it is below those that the
    kernel gives to clients and to servers that take any, so that none of these has it before our server does, or while
    that is started anew."""
    most = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    dice = random.SystemRandom()
    for _ in range(1000):
        port = dice.randrange(LEAST_PORT, max(most, 2 * LEAST_PORT))
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0upbeat-tests-port-{port}")
            with socket.socket() as one:
                one.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _ports.append(name)
        return port
    raise AssertionError("no port is free")


def await_true(holds: Callable[[], T], within_s: float = 10.0, what: str = "") -> T:
    """The first true value of `holds()`; AssertionError where it never comes, of which we are sure after 10 s, or later
    on a machine that has much else to do."""
    until_s = time.monotonic() + max(within_s, 10)
    while not (value := holds()):
        late_s = time.monotonic() - until_s
        assert late_s < 0 or late_s < allow_s(within_s) - within_s, f"not within {within_s} s: {what or holds}"
        time.sleep(0.01)
    return value


def allow_s(seconds: float) -> float:
    """A bound on time, for this machine now: the seconds of a quiet one, times the processes that share a core, at most
    ten."""
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0))
    return seconds * min(max(load, 1.0), 10.0)


def as_user(name: str) -> list[str]:
    """Words in front of a command that run it as that user; none where we are not root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "--"]


def program(name: str) -> str | None:
    """Where it lies, be it in a folder that is on root's PATH alone."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def own_by(path: Path, name: str) -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam(name)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def children_of(pid: int) -> list[int]:
    """Living ones: a zombie is not counted."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return sorted(found)


def command_line(pid: int) -> bytes:
    """Its words, each with a NUL behind it; empty where the process is gone, or will be in a moment."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def end(process: subprocess.Popen[bytes] | None, sign: int = signal.SIGTERM) -> int | None:
    """The exit status; the process, and its group, is killed where it does not stop in time."""
    if process is None:
        return None
    if process.poll() is None:
        process.send_signal(sign)
    try:
        return process.wait(allow_s(STOP_WITHIN_S))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()
