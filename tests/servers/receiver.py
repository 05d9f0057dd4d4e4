"""A receiver of webhooks that does to a sender what strangers do; a process of its own, so that it can be killed.

The path of a request says what it gets: /200, /slow (200 after 2 s), /500, /410, /redirect, /hang, /drip, /headers
(these drip), /big (a gigabyte), /429 (Retry-After: 7), /word/404/no_service; /close; /then/500,500,200 one after the
other, and the last one from then on; /flaky now this, now that. What follows after a further slash tells receivers
apart. Each request is a line of JSON in the log.
"""

import base64
import http.server
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from .processes import ROOT, await_true, end, free_port

FLAKY = ["200", "500", "200", "200", "close", "200", "200", "200", "200", "hang", "200", "200", "200"]


class Handler(http.server.BaseHTTPRequestHandler):
    log: Path
    seen: dict[str, int] = {}
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        line = {
            "at": time.time(),
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": base64.b64encode(body).decode(),
        }
        with self.lock:
            count = self.seen.get(self.path, 0)
            self.seen[self.path] = count + 1
            with open(self.log, "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")
        word = self.path.split("/")[1]
        if word == "flaky":
            word = FLAKY[count % len(FLAKY)]
        if word == "then":
            answers = self.path.split("/")[2].split(",")
            word = answers[min(count, len(answers) - 1)]
        self.close_connection = True
        try:
            self.behave(word)
        except OSError:
            pass  # the sender has hung up

    def behave(self, word: str) -> None:
        if word == "word":
            return self.answer(int(self.path.split("/")[2]), self.path.split("/")[3].encode())
        if word == "close":
            return None
        if word == "slow":
            time.sleep(2)
            self.answer(200, b"")
        elif word == "hang":
            time.sleep(60)
        elif word == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            self.drip()
        elif word == "headers":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self.drip()
        elif word == "big":
            self.wfile.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 1073741824\r\n\r\n")
            for _ in range(1024):
                self.wfile.write(b"x" * 1048576)
        elif word == "redirect":
            self.answer(302, b"", f"Location: http://{self.headers['Host']}/200/redirected")
        elif word == "429":
            self.answer(429, b"slow down", "Retry-After: 7")
        else:
            self.answer(int(word), b"the answer is a secret of its own")

    def drip(self) -> None:
        while True:
            self.wfile.write(b"x")
            time.sleep(0.1)

    def answer(self, status: int, body: bytes, header: str = "X-Nothing: 1") -> None:
        head = f"HTTP/1.1 {status} Word\r\nContent-Length: {len(body)}\r\n{header}\r\nConnection: close\r\n\r\n"
        self.wfile.write(head.encode() + body)

    def log_message(self, *_: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # of a burst of senders none is put off for a second


class Receiver:
    def __init__(self, folder: Path, port: int = 0) -> None:
        self.log = folder / "received"
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Receiver":
        self.log.touch()
        command = [sys.executable, "-m", "servers.receiver", str(self.port), str(self.log)]
        self._process = subprocess.Popen(
            command, cwd=ROOT / "tests", stdout=subprocess.PIPE, start_new_session=True, env={"PYTHONPATH": "."}
        )
        assert self._process.stdout and self._process.stdout.readline() == b"ready\n"
        return self

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        end(self._process)

    def requests(self, path: str | None = None) -> list[dict[str, Any]]:
        whole, _, _ = self.log.read_text().rpartition("\n")  # the last line may be on its way
        found = [json.loads(line) for line in whole.splitlines()]
        return [one | {"body": base64.b64decode(one["body"])} for one in found if path in (None, one["path"])]

    def await_requests(self, path: str, count: int = 1, within_s: float = 10) -> list[dict[str, Any]]:
        return await_true(
            lambda: len(self.requests(path)) >= count and self.requests(path), within_s, f"{count} requests of {path}"
        )


if __name__ == "__main__":
    Handler.log = Path(sys.argv[2])
    server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
    print("ready", flush=True)
    server.serve_forever()
