"""Many clients at the same moment, each on a connection of its own that is open already: one thread and epoll, so that
the clients cost little beside what they ask."""

import resource
import select
import socket
import time
from dataclasses import dataclass, field

FILES = 16384
WITHIN_S = 20.0


@dataclass
class Reply:
    """`status` is 0 where the connection was closed without an answer, or nothing came in time."""

    took_s: float = WITHIN_S  # since the first of all was sent
    status: int = 0
    head: str = ""
    body: bytes = b""
    heard: bytearray = field(default_factory=bytearray, repr=False)

    def header(self, name: str) -> str:
        for line in self.head.splitlines():
            if line.lower().startswith(name.lower() + ":"):
                return line.split(":", 1)[1].strip()
        return ""

    def take(self) -> None:
        head, _, self.body = bytes(self.heard).partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        if self.head.startswith("HTTP/1.1 "):
            self.status = int(self.head.split(" ", 2)[1])


def allow_files() -> None:
    """So many descriptors as crowds take, for us and what we start; as many as may be, where that is less."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def request(target: str, key: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\nX-CB-AK: {key}\r\nConnection: close\r\n\r\n".encode()


def open_connections(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(count)]


def burst(port: int, requests: list[bytes], within_s: float = WITHIN_S) -> list[Reply]:
    """The replies in the order of the requests; each asks for its connection to be closed."""
    clients = open_connections(port, len(requests))
    replies = [Reply(took_s=within_s) for _ in clients]
    by_number = {client.fileno(): number for number, client in enumerate(clients)}
    poll = select.epoll()
    for client in clients:
        client.setblocking(False)
        poll.register(client, select.EPOLLIN)
    began_s = time.monotonic()
    for client, words in zip(clients, requests, strict=True):
        client.send(words)
    while by_number and (left_s := began_s + within_s - time.monotonic()) > 0:
        for number, _ in poll.poll(left_s):
            reply, client = replies[by_number[number]], clients[by_number[number]]
            try:
                heard = client.recv(262144)
            except OSError:
                heard = b""
            reply.heard += heard
            if not heard:
                reply.took_s = time.monotonic() - began_s
                poll.unregister(number)
                del by_number[number]
    poll.close()
    for client, reply in zip(clients, replies, strict=True):
        client.close()
        reply.take()
    return replies
