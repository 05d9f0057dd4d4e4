"""A board that stays open while things break: it must never be without rows."""

import threading

from selenium.common.exceptions import WebDriverException

from board.browser import Browser
from clients import KEY

EVERY_S = 0.3
LOOK = "[document.documentElement.dataset.state, document.querySelectorAll('#rows > *').length]"


class Screen:
    """`states`: those that it was seen in since open(), in their order; `fewest`: rows."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.fewest = 0
        self._browser = Browser(logged=False)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)
        self._browser.close()

    def open(self, url: str, host: str) -> None:
        with self._lock:
            self._browser.open(f"{url}/board/#host={host}&key={KEY}")

    def begin(self) -> None:
        """From now on it must have rows."""
        with self._lock:
            self.states, self.fewest = [], 1_000_000

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            with self._lock:
                try:
                    state, rows = self._browser.evaluate(LOOK)
                except (WebDriverException, AssertionError, TypeError):
                    continue  # it is being loaded
                self.fewest = min(self.fewest, rows)
                if state not in self.states:
                    self.states.append(state)
