"""A company's proxy: what goes through it is counted, and any name leads to the simulator."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit


class Proxy:
    """Takes requests with whole addresses, and CONNECT, behind which it speaks TLS for `name` by a certificate of an
    authority of its own (`authority`), as companies' proxies do. Whatever is asked for, `upstream` (http://HOST:PORT)
    answers; `asked` has the hosts."""

    def __init__(self, folder: Path, upstream: str, name: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname, parts.port)
        self.asked: list[str] = []
        self.authority = folder / "authority.pem"
        key = folder / "proxy-key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(self.authority)]
        subprocess.run(command, check=True, capture_output=True)
        self.authority.chmod(0o644)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(self.authority, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            client.settimeout(20)
            head = self._head(client)
            method, target = head.split(b" ", 2)[:2]
            if method == b"CONNECT":
                self.asked.append(target.decode())
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                client = self._tls.wrap_socket(client, server_side=True)
                head = self._head(client)
            else:
                self.asked.append(urlsplit(target.decode()).netloc)
            self._relay(client, head)
        except OSError:
            pass
        finally:
            client.close()

    @staticmethod
    def _head(client: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(65536)
            if not more:
                raise OSError("the client has gone")
            head += more
        return head

    def _relay(self, client: socket.socket, head: bytes) -> None:
        """One request and its answer; the connection ends with it."""
        method, target, rest = head.split(b" ", 2)
        parts = urlsplit(target.decode())
        path = parts.path + ("?" + parts.query if parts.query else "")
        lines = rest.split(b"\r\n")
        rest = b"\r\n".join([lines[0].replace(b"1.1", b"1.0"), *lines[1:]])
        with socket.create_connection(self._upstream, timeout=20) as server:
            server.sendall(method + b" " + path.encode() + b" " + rest)
            while more := server.recv(65536):
                client.sendall(more)
