"""What a test wants to be answered for a host, exactly."""

import base64
from typing import Any

from pages import Page, from_json

MEMBERS = {"host", "pages", "sequence", "body", "body_base64", "status", "headers"}


class Script:
    """Lists of pages, of which each answer takes the next until the last one stays; or bytes."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Raises ValueError where it is not clear what to answer."""
        if unknown := set(given) - MEMBERS:
            raise ValueError(f"unknown member {sorted(unknown)[0]!r} in a script")
        contents = [name for name in ("pages", "sequence", "body", "body_base64") if name in given]
        if len(contents) != 1:
            raise ValueError("a script holds one of pages, sequence, body, body_base64")
        self.status = int(given.get("status", 200))
        self.headers = {str(k): str(v) for k, v in given.get("headers", {}).items()}
        self.body: bytes | None = None
        self._lists: list[list[Page]] = []
        self._next = 0
        if "body_base64" in given:
            self.body = base64.b64decode(given["body_base64"], validate=True)
        elif "body" in given:
            self.body = given["body"].encode("utf-8", "surrogatepass")
        else:
            lists = given["sequence"] if "sequence" in given else [given["pages"]]
            self._lists = [[from_json(page) for page in pages] for pages in lists]
            if not self._lists:
                raise ValueError("an empty sequence")

    def peek(self) -> list[Page]:
        """The list whose turn it is, which it stays."""
        return self._lists[self._next] if self._lists else []

    def take(self) -> tuple[int, list[Page]]:
        """The number of the list whose turn it is, and the list; the next one's turn is next."""
        number, pages = self._next, self.peek()
        self._next = min(number + 1, max(len(self._lists) - 1, 0))
        return number, pages
