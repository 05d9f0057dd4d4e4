"""A bare Debian 12 with systemd, in a container: made by debootstrap once, kept in build/, and never changed: a machine
writes into memory that is laid over it."""

import fcntl
import hashlib
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Sequence

import pytest

from servers.processes import ROOT, allow_s, await_true

BASES = ROOT / "build" / "debian12"
KEEP_S = 7 * 86400  # then it is made anew, with what Debian has mended
MIRROR = "http://deb.debian.org/debian"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_WITHIN_S = 90
COMMAND_WITHIN_S = 240
CLEAN = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TERM": "dumb", "DEBIAN_FRONTEND": "noninteractive"}


def proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}


def call(*command: str | Path) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        env=CLEAN | proxies(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"


def make_base(folder: Path, package: Path, more: Sequence[str]) -> None:
    """With the packages that this one depends on, and `more`, downloaded and not installed."""
    making = folder.with_suffix(".new")
    shutil.rmtree(making, ignore_errors=True)
    call("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", "bookworm", making, MIRROR)
    (making / "etc/apt/apt.conf.d/keep").write_text('APT::Keep-Downloaded-Packages "true";\n')
    shutil.copy(package, making / "root" / "upbeat.deb")
    call("chroot", making, "apt-get", "-q", "update")
    call("chroot", making, "apt-get", "-q", "install", "-y", "--download-only", "/root/upbeat.deb", *more)
    (making / "root" / "upbeat.deb").unlink()
    making.rename(folder)


def find_base(package: Path, *more: str) -> Path:
    """One for each list of dependencies, and of Debian's packages that are needed besides."""
    needs = subprocess.check_output(["dpkg-deb", "-f", package, "Depends", "Recommends"]) + " ".join(more).encode()
    BASES.mkdir(parents=True, exist_ok=True)
    folder = BASES / hashlib.sha256(needs).hexdigest()[:12]
    with open(BASES / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for other in BASES.iterdir():
            if other.is_dir() and time.time() - other.stat().st_ctime > KEEP_S:
                shutil.rmtree(other)
        if not folder.exists():
            make_base(folder, package, more)
    return folder


def child_of(pid: str) -> str:
    """Its first child; "" where it has none."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if pid else []
    except OSError:
        return ""
    return children[0] if children else ""


class Machine:
    """`options` of systemd-nspawn say, at least, what network it has."""

    def __init__(self, base: Path, place: Path, options: Sequence[str] = ("--private-network",)) -> None:
        self.base, self.place, self.root, self.options = base, place, place / "root", options
        self.log = ROOT / "build" / "results" / "machine.log"

    def mount(self) -> None:
        """Skips the test where we may not."""
        self.place.mkdir()
        for command in (
            ["mount", "-t", "tmpfs", "-o", "size=3g,mode=0755", "upbeat-test", str(self.place)],
            ["mkdir", str(self.place / "upper"), str(self.place / "work"), str(self.root)],
            ["mount", "-t", "overlay", "-o", self.layers(), "upbeat-test", str(self.root)],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                self.unmount()
                pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")

    def layers(self) -> str:
        return f"lowerdir={self.base},upperdir={self.place}/upper,workdir={self.place}/work"

    def unmount(self) -> None:
        for folder in (self.root, self.place):
            if folder.is_mount():
                subprocess.run(["umount", "-l", folder], check=True)
        if self.place.exists():
            self.place.rmdir()

    def start(self) -> "Machine":
        self.mount()
        self.turn_on()
        return self.await_up()

    def turn_on(self) -> None:
        """Also after `cut_power()`, with what is on its disk. Not from a thread that ends: the machine ends with it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.nspawn = subprocess.Popen(
            # It goes with us, so that a killed run leaves no machine behind. A systemd-nspawn that is killed leaves its
            # container running, so it is the first process of a namespace, with which the kernel ends all others in it.
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
            + ["systemd-nspawn", "--boot", "--register=no", "--keep-unit"]
            + ["--machine=" + self.place.name, *self.options, "-D", str(self.root)],
            env=CLEAN,
            stdin=subprocess.DEVNULL,
            stdout=open(self.log, "w"),
            stderr=subprocess.STDOUT,
        )

    def await_up(self) -> "Machine":
        try:
            await_true(self.is_up, BOOT_WITHIN_S, "the machine to be up")
        except BaseException:
            self.stop()
            raise
        return self

    def is_up(self) -> bool:
        if self.nspawn.poll() is not None:
            said = self.log.read_text().strip().splitlines()
            self.unmount()
            pytest.skip(f"systemd does not start in a container here: {said[-1] if said else ''}")
        first = child_of(child_of(str(self.nspawn.pid)))
        if not first:
            return False
        self.leader = first
        said = self.ask("systemctl", "is-system-running", check=False)
        return said.strip() in ("running", "degraded")

    def cut_power(self) -> None:
        if self.nspawn.poll() is None:
            self.nspawn.kill()
            self.nspawn.wait(20)

    def stop(self) -> None:
        self.cut_power()
        self.unmount()

    def inside(self, *command: str) -> list[str]:
        """This command in the machine, as root."""
        return ["nsenter", "-t", self.leader, "-a", "--", *command]

    def beside(self, *command: str) -> list[str]:
        """A command of ours that has the machine's network."""
        return ["nsenter", "-t", self.leader, "-n", "--", *command]

    def ask(self, *command: str, check: bool = True, **more: str) -> str:
        """What it says; AssertionError with that where it fails."""
        done = subprocess.run(
            self.inside(*command),
            env=CLEAN | more,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=allow_s(COMMAND_WITHIN_S),
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout[-3000:]}"
        return done.stdout

    def shell(self, script: str) -> str:
        return self.ask("bash", "-euo", "pipefail", "-c", script)

    def get(self, path: str, *headers: str, port: int = 8080) -> tuple[int, str]:
        """Status and body of what nginx answers."""
        words = [word for header in headers for word in ("-H", header)]
        url = f"http://127.0.0.1:{port}{path}"
        said = subprocess.run(
            self.beside("curl", "-s", "-m", "10", "--noproxy", "*", "-w", "\n%{http_code}", *words, url),
            capture_output=True,
            text=True,
        ).stdout
        body, _, status = said.rpartition("\n")
        return int(status or 0), body

    def show(self, unit: str, name: str) -> str:
        return self.ask("systemctl", "show", "-P", name, unit).strip()

    def put(self, file: Path, to: str) -> None:
        shutil.copy(file, self.root / to.lstrip("/"))

    def start_beside(self, *command: str) -> "Beside":
        return Beside(self.beside(*command))


class Beside:
    """A process of ours with the machine's network; its first line says that it is ready."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and select.select([self.process.stdout], [], [], allow_s(20))[0], command
        self.ready = self.process.stdout.readline()
        assert self.ready, f"{command} has ended"

    def stop(self) -> str:
        """The rest of what it says, once its input has ended."""
        self.process.terminate()
        return self.process.communicate(timeout=allow_s(20))[0]
