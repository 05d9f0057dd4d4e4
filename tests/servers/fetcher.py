"""The fetcher as a process (one round, a loop, or two of them behind their socket), and a client of that socket."""

import enum
import hashlib
import json
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .processes import await_true, build_folder, children_of, end
from .stack import KEY, Stack

MESSAGE_BYTES = 640
VERSION = 2


class Fetcher:
    """With the settings of a stack's pool, and more of its own."""

    def __init__(self, stack: Stack, **settings: str) -> None:
        self._environment = stack.pool.environment | settings
        self.log = stack.folder / "fetch.log"
        self.socket = stack.folder / "fetch.sock"
        self._process: subprocess.Popen[bytes] | None = None
        if self.log not in stack.logs:
            stack.logs.append(self.log)

    def _command(self, *arguments: str) -> list[str]:
        return [str(build_folder() / "fcgi" / "upbeat-fetch"), *arguments]

    def run(self, *arguments: str, within_s: float = 60) -> subprocess.CompletedProcess[str]:
        """To its end; what it logs is kept for the search for keys."""
        ended = subprocess.run(
            self._command(*arguments),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
        )
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(ended.stdout + ended.stderr)
        return ended

    def round(self, *arguments: str) -> list[dict[str, Any]]:
        """Of a round that ends well: a row for each host, and last the totals."""
        ended = self.run("--json", *arguments)
        assert ended.returncode == 0, ended.stderr
        return [json.loads(line) for line in ended.stdout.splitlines()]

    def _spawn(self, command: list[str]) -> None:
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self, *arguments: str) -> "Fetcher":
        self._spawn(self._command(*arguments))
        return self

    def serve(self, count: int = 2) -> "Fetcher":
        """As it is started for real: so many of them on one socket."""
        self.socket.unlink(missing_ok=True)
        before = self.text().count("serving workers")
        spawn = ["spawn-fcgi", "-n", "-s", str(self.socket), "-M", "0600", "--"]
        watch = ["/usr/bin/multiwatch", "-r", "1000000", "-f", str(count), "--"]
        self._spawn([*spawn, *watch, *self._command("--loop")])
        await_true(lambda: self.text().count("serving workers") >= before + count, 20, f"see {self.log}")
        return self

    def text(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def fetchers(self) -> list[int]:
        """Of serve(): the processes that fetch."""
        return children_of(self.pid)

    @property
    def is_over(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def wait(self, within_s: float = 30) -> int:
        assert self._process is not None
        return self._process.wait(within_s)

    def stop(self, sign: int = signal.SIGTERM) -> int | None:
        process, self._process = self._process, None
        return end(process, sign)


class Type(enum.IntEnum):
    ASK = 1
    ASKED = 2
    DONE = 3
    ALIVE = 4
    USED = 5


class Outcome(enum.IntEnum):
    STORED = 0
    KEY_REFUSED = 1
    UNREACHABLE = 2
    TIMED_OUT = 3
    RATE_LIMITED = 4
    USELESS = 5
    BACKOFF = 6
    BAD_KEYS = 7
    NO_KEY = 8
    DATABASE = 9
    BUSY = 10


@dataclass(frozen=True)
class Message:
    """As lib/refresh/protocol.h has it."""

    type: Type
    host: str = ""
    key: str = ""
    check: bool = False
    digest: bytes = bytes(32)
    outcome: Outcome = Outcome.STORED
    wait_ms: int = 0
    token_id: int = 0
    requests: int = 0

    def encode(self, version: int = VERSION) -> bytes:
        head = bytes([version, self.type, self.check, bool(self.key), self.outcome, 0, 0, 0])
        rest = self.host.encode().ljust(254, b"\0") + self.key.encode().ljust(129, b"\0")
        numbers = self.token_id.to_bytes(4, "big") + self.requests.to_bytes(4, "big")
        return (head + self.wait_ms.to_bytes(4, "big") + self.digest + rest + numbers).ljust(MESSAGE_BYTES, b"\0")

    @staticmethod
    def decode(text: bytes) -> "Message":
        assert text[0] == VERSION, text
        host, key = (text[at : at + size].rstrip(b"\0").decode() for at, size in ((44, 254), (298, 129)))
        wait_ms = int.from_bytes(text[8:12], "big")
        return Message(Type(text[1]), host, key, bool(text[2]), text[12:44], Outcome(text[4]), wait_ms)


class Worker:
    """The worker's end of one connection to the fetcher."""

    def __init__(self, path: Path, within_s: float = 15) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(within_s)
        self._socket.connect(str(path))
        self.alive = 0  # signs of life that have come

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def send(self, text: bytes) -> None:
        self._socket.sendall(text)

    def ask(self, host: str, key: str = KEY, check: bool = False, hand_over: bool = True) -> None:
        digest = hashlib.sha256(key.encode()).digest()
        self.send(Message(Type.ASK, host, key if hand_over else "", check, digest).encode())

    def asked(self, host: str) -> None:
        self.send(Message(Type.ASKED, host).encode())

    def receive(self) -> Message | None:
        """The next message; None: the connection is at its end."""
        text = b""
        while len(text) < MESSAGE_BYTES:
            try:
                more = self._socket.recv(MESSAGE_BYTES - len(text))
            except ConnectionResetError:
                more = b""
            if not more:
                assert not text, "half a message"
                return None
            text += more
        return Message.decode(text)

    def done(self) -> Message:
        """The next answer; signs of life are counted."""
        while message := self.receive():
            if message.type == Type.DONE:
                return message
            assert message.type == Type.ALIVE
            self.alive += 1
        raise AssertionError("the connection has ended")
