"""A pool of workers."""

from pathlib import Path

from .processes import await_true, worker_program
from .watched import Watched

WORKERS = 2


class Pool(Watched):
    """`settings` are the worker's environment. The pool "list" has the socket upbeat.sock and UPBEAT_WORKERS
    workers; a pool of another name has the socket of that name and `count` workers."""

    def __init__(self, folder: Path, settings: dict[str, str], name: str = "upbeat", count: int | None = None) -> None:
        count = count or int(settings.get("UPBEAT_WORKERS", WORKERS))
        super().__init__(folder, name, settings | {"UPBEAT_WORKERS": str(count)}, count)
        self.program = worker_program()

    def start(self) -> "Pool":
        before = self.text().count("serving")
        self.command = [str(self.program)]
        self.spawn()
        await_true(
            lambda: self.text().count("serving") >= before + self.count, 20, f"the pool; see {self.log}"
        )
        return self

    def workers(self) -> list[int]:
        return self.pids()
