"""Simulated history of one site, as samples that upbeat-import takes: `python3 tests/simulator/past.py --help`.

The site is that of model.py with the same seed and host: the same articles, days and surges. Its counts are drawn
around what the model expects, not lived through step by step: four weeks of that would take an hour.
"""

import argparse
import contextlib
import math
import random
import sys
import time
from itertools import accumulate
from typing import Iterable, Iterator, TextIO

from model import DAY_S, STAY_S, ZIPF_EXPONENT, Site, level, sources, surge_share
from pages import SECTIONS, VARIANTS, _variant
import zlib

SLOTS = 300
VISITORS = 8000.0
ROWS = 100
QUARTER_S = 900
MINUTE_S = 60
SAMPLES = 8  # of an older quarter of an hour: enough of its minutes for the profile of a day
SOURCE_ORDER = ("search", "social", "links", "direct", "internal")
HEADER = "t_ms\tpath\tvisitors\ttitle\tsections\tsources\n"
PARTS = 5  # times within a quarter of an hour at which its surges are looked at


class Past:
    def __init__(self, seed: int, host: str) -> None:
        self.seed, self.site = seed, Site(seed, host, SLOTS)
        weights = [1.0 / (slot + 1) ** ZIPF_EXPONENT for slot in range(SLOTS)]
        self.expected = [VISITORS * weight / sum(weights) for weight in weights]
        self.articles = [self.site.article(slot, 0.0) for slot in range(SLOTS)]
        self.known_sections: dict[str, str] = {}

    def sections(self, path: str) -> str:
        """As pages.py serves them."""
        if path not in self.known_sections:
            named = _variant(zlib.crc32(path.encode()) % VARIANTS)[1]
            if len(self.known_sections) > 20000:
                self.known_sections.clear()
            of = [name for name in SECTIONS if f'"{name}"' in named.split("authors")[0]]
            self.known_sections[path] = "|".join(of)
        return self.known_sections[path]

    def grown(self, t: float) -> list[float]:
        """By how much of itself each page has grown in a surge."""
        grown = [0.0] * SLOTS
        for surge in self.site.surges(t - 3 * STAY_S, t):
            grown[surge.slot] = max(grown[surge.slot], surge_share(surge, t))
        return grown

    def rows(self, t: float, span_s: float = 0.0) -> list[tuple[int, str, str, str, str]]:
        """The list at some time, or on the mean of the span that begins then: visitors, path, title, sections,
        sources. Surges count in the mean as they do in the minutes, so that what is usual is what there is."""
        rng = random.Random(f"{self.seed}/past/{t}")
        gauss, share = rng.gauss, level(t + span_s / 2, self.seed)
        counts: list[float] = [0.0] * SLOTS
        parts = PARTS if span_s else 1
        looks = [self.grown(t + (part + 0.5) * span_s / parts) for part in range(parts)]
        grown = [sum(of) / parts for of in zip(*looks)]
        for slot in range(SLOTS):
            article = self.articles[slot]
            if not article.from_t <= t < article.to_t:
                article = self.articles[slot] = self.site.article(slot, t)
            # A new page fills up; an old one is left at once, which is what a list of 100 would show of it anyway.
            fill = 1.0 - math.exp(-(t - article.from_t) / STAY_S) if article.from_t > 0 else 1.0
            mean = self.expected[slot] * share * fill * (1.0 + grown[slot])
            counts[slot] = mean + gauss(0.0, 1.0) * math.sqrt(mean)
        order = sorted(range(SLOTS), key=counts.__getitem__, reverse=True)[:ROWS]
        found = []
        for slot in order:
            people, article = int(counts[slot] + 0.5), self.articles[slot]
            if people <= 0:
                continue
            parts = sources(article.path, people, grown[slot])
            told = ",".join(str(parts[name]) for name in SOURCE_ORDER)
            found.append((people, article.path, article.title, self.sections(article.path), told))
        return found

    def write(self, out: TextIO, times: Iterable[float], by_minute: bool) -> None:
        out.write(HEADER)
        for t in times:
            # An older quarter of an hour is one list that holds for its minutes: it knows nothing of sources, which are
            # kept for hours.
            rows = self.rows(t, 0.0 if by_minute else QUARTER_S)
            for k in range(1 if by_minute else SAMPLES):
                at = int((t + k * MINUTE_S) * 1000)
                for people, path, title, sections, sources in rows:
                    out.write(f"{at}\t{path}\t{people}\t{title}\t{sections}\t{sources if by_minute else ''}\n")


def times(from_t: float, to_t: float, by_minute: bool, daily: bool) -> Iterator[float]:
    grid = MINUTE_S if by_minute else QUARTER_S
    t = math.ceil(from_t / grid) * grid
    while t < to_t:
        yield float(t)
        t += DAY_S if daily else grid


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="past", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--host", default="demo.example")
    parser.add_argument("--from", dest="from_t", type=float, required=True, help="Unix time, included")
    parser.add_argument("--to", dest="to_t", type=float, required=True, help="Unix time, not included")
    parser.add_argument(
        "--by-minute", action="store_true", help="a sample a minute, with its surges; else quarters of an hour"
    )
    parser.add_argument(
        "--daily", action="store_true", help="of each day only the quarter of an hour at the time of --from"
    )
    given = parser.parse_args()
    if given.to_t > time.time() + 1:
        raise SystemExit("past: --to is in the future")
    with contextlib.suppress(BrokenPipeError):  # the reader says why it has had enough
        Past(given.seed, given.host).write(
            sys.stdout, times(given.from_t, given.to_t, given.by_minute, given.daily), given.by_minute
        )


if __name__ == "__main__":
    main()
