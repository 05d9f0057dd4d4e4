"""A network of its own, which nothing but its machines is in: a bridge in a network namespace, and one namespace for
each machine. Nothing of it is in the host's network."""

import contextlib
import subprocess
from pathlib import Path

PREFIX = "10.83.0"
OURS = f"{PREFIX}.254"


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


class Network:
    def __init__(self, name: str) -> None:
        self.name, self.spaces = name, [f"{name}-lan"]
        self.lan = self.spaces[0]

    def start(self) -> "Network":
        """The bridge has the address OURS."""
        ip("netns", "add", self.lan)
        ip("-n", self.lan, "link", "set", "lo", "up")
        ip("-n", self.lan, "link", "add", "lan", "type", "bridge")
        ip("-n", self.lan, "addr", "add", f"{OURS}/24", "dev", "lan")
        ip("-n", self.lan, "link", "set", "lan", "up")
        return self

    def add(self, machine: str, address: str) -> Path:
        """The namespace of a machine with this address, for systemd-nspawn."""
        space = f"{self.name}-{machine}"
        ip("netns", "add", space)
        self.spaces.append(space)
        ip("-n", space, "link", "add", "eth0", "type", "veth", "peer", "name", machine, "netns", self.lan)
        ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        ip("-n", space, "link", "set", "lo", "up")
        ip("-n", space, "link", "set", "eth0", "up")
        ip("-n", self.lan, "link", "set", "dev", machine, "master", "lan", "up")
        return Path("/run/netns") / space

    def inside(self, *command: str) -> list[str]:
        """A command of ours that has the address OURS in it."""
        return ["ip", "netns", "exec", self.lan, *command]

    def get(self, url: str, *headers: str) -> tuple[int, str]:
        """Status, 0 where there is no answer, and body."""
        words = [word for header in headers for word in ("-H", header)]
        command = ["curl", "-s", "-m", "10", "--noproxy", "*", "-w", "\n%{http_code}", *words, url]
        body, _, status = subprocess.run(self.inside(*command), capture_output=True, text=True).stdout.rpartition("\n")
        return int(status or 0), body

    def stop(self) -> None:
        for space in reversed(self.spaces):
            with contextlib.suppress(AssertionError):
                ip("netns", "delete", space)
