"""The stand-in for Chartbeat as a process of its own."""

import json
import os
import select
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from .processes import allow_s, await_true

PYTHON = "/usr/bin/python3"
FOLDER = Path(__file__).resolve().parent.parent / "simulator"
READY_WITHIN_S = 10.0
STOP_WITHIN_S = 5.0
CALL_WITHIN_S = 10.0
DIRECT = build_opener(ProxyHandler({}))  # what is on this machine is never asked through a proxy


class Simulator:
    """Starts on free ports, awaits the ready line, stops; `log()` is what it wrote to stderr.

    Keyword arguments are command-line settings: `latency_ms=0`, `source="script"`,
    `key=["k=a.example"]`. A control call that is refused raises urllib.error.HTTPError.
    """

    def __init__(self, **settings: Any) -> None:
        self._arguments = []
        for name, value in settings.items():
            for one in value if isinstance(value, list) else [value]:
                self._arguments += ["--" + name.replace("_", "-"), str(one)]
        self._process: subprocess.Popen[str] | None = None
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8")
        self.upstream_url = ""
        self.control_url = ""

    def start(self) -> "Simulator":
        """Raises RuntimeError, with its log, where it does not become ready in time."""
        self._process = subprocess.Popen(
            [PYTHON, str(FOLDER), *self._arguments],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert self._process.stdout is not None
        words = ""
        if select.select([self._process.stdout], [], [], allow_s(READY_WITHIN_S))[0]:
            words = self._process.stdout.readline()
        if not words.startswith("ready "):
            self.stop()
            raise RuntimeError(f"the simulator did not start: {self.log()}")
        urls = dict(word.split("=", 1) for word in words.split()[1:])
        self.upstream_url, self.control_url = urls["upstream"], urls["control"]
        return self

    def stop(self) -> int | None:
        """The exit status; None where it was not started. Harmless twice."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(allow_s(STOP_WITHIN_S))
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()
        finally:
            if process.stdout:
                process.stdout.close()

    def __enter__(self) -> "Simulator":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """One control call; the answer's JSON."""
        url = self.control_url + path + ("?" + urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if data else {}
        request = Request(url, data=data, method=method, headers=headers)
        with DIRECT.open(request, timeout=allow_s(CALL_WITHIN_S)) as answer:
            return json.load(answer)

    def script(self, host: str, pages: list[dict[str, Any]] | None = None, **more: Any) -> None:
        """`pages`, or one of sequence, body, body_base64; also status and headers."""
        given = more if pages is None else {"pages": pages, **more}
        self.call("POST", "/script", {"host": host, **given})

    def end_script(self, host: str) -> None:
        self.call("DELETE", "/script", host=host)

    def replay(self, host: str, t: int | None) -> None:
        """Holds the host at second `t` of the traffic; None lets it go."""
        self.call("POST", "/replay", {"host": host, "t": t})

    def fault(self, host: str, kind: str, times: int | None = None, **params: Any) -> None:
        self.call("POST", "/faults", {"host": host, "kind": kind, "times": times, **params})

    def end_faults(self, host: str | None = None) -> None:
        self.call("DELETE", "/faults", **({"host": host} if host else {}))

    def keys(self, key: str, hosts: list[str] | str | None) -> None:
        """The key is good for these hosts from now on, `*` for all; None revokes it."""
        if hosts is None:
            self.call("DELETE", "/keys", key=key)
        else:
            self.call("POST", "/keys", {"key": key, "hosts": hosts})

    def counts(self) -> dict[str, Any]:
        return self.call("GET", "/counts")

    def requests(self, host: str | None = None) -> list[dict[str, Any]]:
        """The log of upstream requests, oldest first."""
        return self.call("GET", "/log", **({"host": host} if host else {}))

    def truth(self, host: str, births: bool = False) -> list[dict[str, Any]]:
        return self.call("GET", "/truth", host=host, **({"new": 1} if births else {}))

    def reset(self) -> None:
        self.call("POST", "/reset", {})

    def await_counts(self, holds: Any, within_s: float = 5.0) -> dict[str, Any]:
        """The counts as soon as `holds(counts)`; AssertionError where that never comes."""
        try:
            return await_true(lambda: holds(counts := self.counts()) and counts, within_s)
        except AssertionError:
            raise AssertionError(f"still {self.counts()}") from None
