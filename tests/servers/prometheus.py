"""Prometheus, on a free port and in a private folder, which scrapes one address."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

from .processes import await_true, end, free_port

CONF = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: upbeat
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""
DIRECT = build_opener(ProxyHandler({}))


class Prometheus:
    def __init__(self, folder: Path, target: int) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder / "prometheus.log"
        self._conf = folder / "prometheus.yml"
        self._conf.write_text(CONF.format(target=target))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Prometheus":
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [
                    "/usr/bin/prometheus",
                    f"--config.file={self._conf}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_true(self._is_ready, 20, f"Prometheus; see {self.log}")
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        end(process)

    def _get(self, path: str) -> bytes:
        with DIRECT.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return answer.read()

    def _is_ready(self) -> bool:
        try:
            return bool(self._get("/-/ready"))
        except OSError:
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an instant query gives: a row with "metric" and "value" for each series."""
        answer = json.loads(self._get("/api/v1/query?" + urlencode({"query": expression})))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]
