"""nginx in front of a pool, with the project's own snippets."""

import getpass
import os
import signal
import subprocess
from pathlib import Path

from .processes import ROOT, await_true, end, free_port

CONF = """
{user}
daemon off;
pid {folder}/nginx.pid;
worker_processes 2;
error_log {folder}/nginx-error.log notice;
events {{ worker_connections 2048; }}
http {{
    include /etc/nginx/mime.types;
    include snippets/upbeat-http.conf;
    map "" $upbeat_board_files {{ default {board}; }}
    upstream upbeat {{
        server unix:{socket} max_fails=0;
        keepalive 64;
        keepalive_requests 100000;
    }}
    upstream upbeat_reports {{
        server unix:{reports} max_fails=0;
        keepalive 16;
        keepalive_requests 100000;
    }}
    {cache_path}
    client_body_temp_path {folder}/temp-body;
    proxy_temp_path {folder}/temp-proxy;
    fastcgi_temp_path {folder}/temp-fastcgi;
    uwsgi_temp_path {folder}/temp-uwsgi;
    scgi_temp_path {folder}/temp-scgi;
    server {{
        listen {address}:{port} backlog=4096 {listen};
        access_log {folder}/nginx-access.log upbeat;
        error_log {folder}/nginx-error.log emerg;
        include snippets/upbeat-locations.conf;
        include snippets/upbeat-board.conf;
        include snippets/upbeat-metrics.conf;
        {cached}
    }}
}}
"""


class Nginx:
    """`cached`: with the hit path, nginx's own copies of answers, as fcgi/up has it. `listen`: more words of that
    directive."""

    def __init__(
        self,
        folder: Path,
        socket: Path,
        reports: Path,
        address: str = "127.0.0.1",
        cached: bool = False,
        listen: str = "",
    ) -> None:
        self.folder, self.port = folder, free_port()
        self.conf = folder / "nginx.conf"
        self.logs = [folder / "nginx-access.log", folder / "nginx-error.log"]
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        path = (
            f"fastcgi_cache_path {folder}/cache levels=1:2 use_temp_path=off keys_zone=upbeat:1m inactive=150s;"
        )
        self.conf.write_text(
            CONF.format(
                user=user,
                folder=folder,
                board=ROOT / "nginx" / "board",
                socket=socket,
                reports=reports,
                listen=listen,
                address=address,
                port=self.port,
                cache_path=path if cached else "",
                cached="include snippets/upbeat-cached.conf;" if cached else "",
            )
        )
        (folder / "snippets").symlink_to(ROOT / "nginx" / "snippets")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Nginx":
        errors = str(self.logs[1])
        pid = self.folder / "nginx.pid"
        pid.unlink(missing_ok=True)  # that of one that was killed says nothing of this one
        with open(errors, "ab") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/nginx", "-e", errors, "-c", str(self.conf)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_true(lambda: pid.exists() and pid.read_text().strip(), 10, f"nginx; see {errors}")
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> int | None:
        process, self._process = self._process, None
        return end(process, signal.SIGQUIT)
