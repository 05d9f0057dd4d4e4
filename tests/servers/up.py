"""fcgi/up as its user runs it: in the foreground, with nothing but environment variables."""

import http.client
import json
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .processes import ROOT, allow_s, await_true, children_of, command_line, free_port

KEY = "demo-key-0001"
HOST = "demo.example"


class Up:
    """`settings` are added to the environment, from which our own, libpq's and those of proxies are taken out."""

    def __init__(self, state: Path, root: Path = ROOT, **settings: str) -> None:
        self.port = free_port()
        self.state, self.root = state, root
        plain = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("UPBEAT_", "CHARTBEAT_", "PG", "SSL_CERT_", "CURL_CA_"))
            and not name.lower().endswith("_proxy")
        }
        ours = {"UPBEAT_LISTEN": f"127.0.0.1:{self.port}", "UPBEAT_STATE": str(state)}
        ours["UPBEAT_WORKERS"] = "3"
        ours["UPBEAT_PAST_DAYS"] = "0"  # what it imports is in nobody's way, but takes a core for half a minute
        self.environment = plain | ours | settings
        self.lines: list[str] = []

    def start(self) -> "Up":
        # A shell starts what runs in its background with SIGINT ignored, and so would we be, with our children.
        self.process = subprocess.Popen(
            ["/usr/bin/env", "--default-signal=INT", str(self.root / "fcgi" / "up")],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def await_ready(self, within_s: float = 60) -> "Up":
        def ready() -> bool:
            assert self.process.poll() is None or self.lines, "it ended without a word"
            assert self.process.poll() is None, self.text
            return f"ready {self.url}" in self.lines

        await_true(ready, within_s, "the line ready")
        return self

    def ended(self, within_s: float = 60) -> tuple[int, str]:
        """Exit status and everything it said."""
        status = self.process.wait(allow_s(within_s))
        self._reader.join(allow_s(5))
        return status, self.text

    def stop(self, sign: int = signal.SIGINT) -> tuple[int, str]:
        self.process.send_signal(sign)
        return self.ended()

    def rising(self, key: str = KEY, host: str = HOST) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            path = "/api/v1.0/increasingconcurrents?" + urlencode({"host": host})
            connection.request("GET", path, headers={"X-CB-AK": key})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def child(self, word: str) -> int:
        """The child of ours whose command line holds a word."""
        for pid in children_of(self.process.pid):
            if word.encode() in command_line(pid):
                return pid
        raise AssertionError(f"no child runs {word}")

    def leftovers(self) -> list[str]:
        """Command lines of processes that still name our folder."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                words, environment = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
            except OSError:
                continue
            if str(self.state).encode() in words + environment and int(place.name) != os.getpid():
                found.append(words.decode(errors="replace"))
        return found
