"""The fetchers, which alone ask Chartbeat, on the socket on which the workers tell them what is wanted."""

from pathlib import Path

from .processes import build_folder
from .watched import Watched

FETCHERS = 2


class Fetchers(Watched):
    """So many processes on one socket, fetch.sock in the run folder: whoever is free accepts a worker."""

    def __init__(self, folder: Path, settings: dict[str, str], count: int = FETCHERS) -> None:
        program = str(build_folder() / "fcgi" / "upbeat-fetch")
        super().__init__(folder, "fetch", settings, count, program, "--loop")

    def start(self) -> "Fetchers":
        self.spawn()
        return self
