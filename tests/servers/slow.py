"""Clients that read their answer a few bytes at a time."""

import socket
import threading
import time
from typing import Any

PAUSE_S = 0.25
BYTES = 4


class SlowReader:
    """Sends a request, reads four bytes every quarter of a second, and the rest at `finish()`."""

    def __init__(self, port: int, request: bytes) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(20)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(request)
        self._over = threading.Event()
        self.heard = b""
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        while not self._over.wait(PAUSE_S):
            self.heard += self._socket.recv(BYTES)

    def __enter__(self) -> "SlowReader":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()
        self._socket.close()

    def finish(self) -> bytes:
        """All that it is sent, as fast as it comes."""
        self._over.set()
        self._thread.join()
        until_s = time.monotonic() + 20
        while chunk := self._socket.recv(1 << 20):
            self.heard += chunk
            assert time.monotonic() < until_s
        return self.heard
