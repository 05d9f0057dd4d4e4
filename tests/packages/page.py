"""The page for operators as a list of what is typed: `# on a and b, once a is the leader` says where, and when."""

import re
from dataclasses import dataclass
from pathlib import Path

from servers.processes import ROOT

PAGE = ROOT / "fcgi" / "OPERATORS.md"
# Where: the machines, or by the part that one has when it comes to that.
PLACES = {
    "a": "a",
    "c": "c",
    "a and b": "ab",
    "b and c": "bc",
    "a, b and c": "abc",
    "a standby": "standby",
    "each standby": "standbys",
    "the primary": "primary",
}
IN_TURN = "one after the other"
WHENS = {"", "once a is the leader", "once all are there"}
EACH_SHELL = "# in each shell"
HEAD = re.compile(r"^# on ([^:\n]*?)(?:: .*)?$", re.M)


@dataclass
class Piece:
    section: str
    line: int
    where: str  # of PLACES, or "each shell"
    in_turn: bool
    when: str  # of WHENS
    script: str

    @property
    def name(self) -> str:
        return f"{PAGE.name}:{self.line} ({self.section})"


def split_head(words: str) -> tuple[str, bool, str]:
    """Where, one after the other or not, when; ValueError for words that are not among those above."""
    when = next((when for when in WHENS if when and words.endswith(", " + when)), "")
    where = words.removesuffix(", " + when) if when else words
    in_turn = where.endswith(", " + IN_TURN)
    where = where.removesuffix(", " + IN_TURN)
    if where not in PLACES:
        raise ValueError(f"{PAGE.name}: where is {words!r}?")
    return PLACES[where], in_turn, when


def pieces_of(block: str, line: int, section: str) -> list[Piece]:
    if block.startswith(EACH_SHELL):
        return [Piece(section, line, "each shell", False, "", block)]
    heads = list(HEAD.finditer(block))
    if not heads or heads[0].start() != 0:
        raise ValueError(f"{PAGE.name}:{line}: the block does not begin with '# on MACHINES'")
    ends = [head.start() for head in heads[1:]] + [len(block)]
    found = []
    for head, end in zip(heads, ends):
        where, in_turn, when = split_head(head[1])
        at = line + block.count("\n", 0, head.start())
        found.append(Piece(section, at, where, in_turn, when, block[head.start() : end]))
    return found


def read_page(path: Path = PAGE) -> list[Piece]:
    found: list[Piece] = []
    section, block, began = "", None, 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if block is None and line.startswith("## "):
            section = line[3:]
        elif block is None and line == "```sh":
            block, began = [], number + 1
        elif block is not None and line == "```":
            found += pieces_of("\n".join(block) + "\n", began, section)
            block = None
        elif block is not None:
            block.append(line)
    return found
