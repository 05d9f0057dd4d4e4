"""A news site with a seed: visitors arrive, stay and leave; pages appear, surge and vanish.

Times are model seconds: Unix seconds where the simulation runs at speed 1. Articles and surges are
functions of (seed, host, time) alone. The counts are a Markov chain on a fixed grid of steps, so
they too are the same in each run that has the same seed, host, start and step.
"""

import math
import random
import zlib
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from headlines import FRONT, HEADLINES, PLACES, SECTION_PAGES
from pages import Page, split

STAY_S = 180.0
ZIPF_EXPONENT = 0.9
DAY_S = 86400.0
SURGE_EVERY_S = 120
SURGE_LATEST_S = 30
SURGE_SHORTEST_S, SURGE_LONGEST_S = 240, 480
# Surges of as many windows in a row fall on different slots, so that none overlaps on a page.
SURGE_CLASSES = 5
SURGE_SLOTS = 60
FLICKER_S = 60.0
CATCH_UP_S = 3600.0
WOBBLE = 0.03  # of a day's level, so that usual days differ
WEEKEND = 0.8
SURGE_SOURCES = ("search", "social", "links")


class Article(NamedTuple):
    """A page and the time during which the site links to it."""

    path: str
    title: str
    from_t: float
    to_t: float


class Surge(NamedTuple):
    """`factor` multiplies the arrivals from `from_t` to `to_t`; concurrents follow by STAY_S."""

    slot: int
    article: Article
    from_t: float
    to_t: float
    factor: float


def tide(t: float) -> float:
    """The day's share of the mean: lowest at 02:00 UTC, rising fastest at 08:00."""
    return 1.0 + 0.5 * math.sin(2 * math.pi * (t - 8 * 3600) / DAY_S)


@lru_cache(maxsize=256)
def day_share(day: int, seed: int) -> float:
    """Weekends are quieter, and no two days alike."""
    weekend = WEEKEND if (day + 4) % 7 in (0, 6) else 1.0
    return weekend * random.Random(f"{seed}/day/{day}").gauss(1.0, WOBBLE)


def level(t: float, seed: int) -> float:
    """Of a whole site with a past: the tide of the day, times what the days have of their own, from noon to noon."""
    noon, share = divmod(t / DAY_S - 0.5, 1.0)
    return tide(t) * ((1.0 - share) * day_share(int(noon), seed) + share * day_share(int(noon) + 1, seed))


def surge_share(surge: Surge, t: float) -> float:
    """By how much of itself a page has grown: visitors follow arrivals by the time that they stay."""
    if t <= surge.from_t:
        return 0.0
    grown = (surge.factor - 1.0) * (1.0 - math.exp(-(min(t, surge.to_t) - surge.from_t) / STAY_S))
    return grown * math.exp(-max(0.0, t - surge.to_t) / STAY_S)


def sources(path: str, people: int, grown: float) -> dict[str, int]:
    """Where the visitors of a page came from: what it has grown by in a surge came by one source, as surges do."""
    extra = int(people * grown / (1.0 + grown))
    parts = split(path, people - extra)
    parts[SURGE_SOURCES[zlib.crc32(path.encode()) // 64 % len(SURGE_SOURCES)]] += extra
    return parts


class Site:
    """What is published and what surges when. Slots are ranks by expected popularity."""

    def __init__(self, seed: int, host: str, slots: int) -> None:
        self._name = f"{seed}/{host}"
        self._fixed = [FRONT, *SECTION_PAGES]
        self.surge = lru_cache(maxsize=64)(self._surge)
        cycles = [self._rng("cycle", slot) for slot in range(slots)]
        self._life_s = [rng.uniform(1, 6) * 3600 for rng in cycles]
        self._phase_s = [rng.uniform(0, 6 * 3600) for rng in cycles]

    def _rng(self, *what: object) -> random.Random:
        return random.Random("/".join([self._name, *map(str, what)]))

    def article(self, slot: int, t: float) -> Article:
        if slot < len(self._fixed):
            return Article(*self._fixed[slot], -math.inf, math.inf)
        life_s, phase_s = self._life_s[slot], self._phase_s[slot]
        number = math.floor((t + phase_s) / life_s)
        rng = self._rng("article", slot, number)
        # By slot, not by chance: so the visible pages hold every headline, and so every trap.
        section, slug, headline = HEADLINES[slot % len(HEADLINES)]
        place = rng.choice(PLACES)
        ident = zlib.crc32(f"{self._name}/{slot}/{number}".encode())
        from_t = number * life_s - phase_s
        path = f"/{section}/{slug}-{ident:08x}"
        return Article(path, headline.format(place=place), from_t, from_t + life_s)

    def _surge(self, window: int) -> Surge:
        rng = self._rng("surge", window)
        from_t = window * SURGE_EVERY_S + rng.uniform(0, SURGE_LATEST_S)
        to_t = from_t + rng.uniform(SURGE_SHORTEST_S, SURGE_LONGEST_S)
        factor = round(rng.uniform(1.5, 6.0), 2)
        first = window % SURGE_CLASSES or SURGE_CLASSES
        slots = list(range(first, min(SURGE_SLOTS, len(self._life_s)), SURGE_CLASSES))
        rng.shuffle(slots)
        articles = ((slot, self.article(slot, from_t)) for slot in slots)
        # A page that vanished in its surge would leave the truth with nothing to see. Each class
        # holds a page that never vanishes.
        slot, article = next((s, a) for s, a in articles if a.to_t > to_t + STAY_S)
        return Surge(slot, article, from_t, to_t, factor)

    def surges(self, from_t: float, to_t: float) -> list[Surge]:
        """Surges that run at some time between the two, by their start."""
        first = math.floor(from_t / SURGE_EVERY_S) - SURGE_CLASSES
        found = [self.surge(w) for w in range(first, math.floor(to_t / SURGE_EVERY_S) + 1)]
        return [s for s in found if s.to_t > from_t and s.from_t <= to_t]


class Model:
    """Concurrents of one site. `visitors` is the day's mean over all pages. `has_past`: the site goes on from where
    past.py ends: it has the days' level, and what surges at the start has surged before; else that begins to show
    there."""

    def __init__(
        self,
        seed: int,
        host: str,
        step_s: float,
        start_t: float,
        slots: int = 300,
        visitors: float = 8000.0,
        flicker: float = 0.0,
        has_past: bool = False,
    ) -> None:
        self._has_past = has_past
        self._level = (lambda t: level(t, seed)) if has_past else tide
        self.site = Site(seed, host, slots)
        self.start_t, self._step_s = start_t, step_s
        self._rng = random.Random(f"{seed}/{host}/visitors/{start_t}")
        weights = [1.0 / (slot + 1) ** ZIPF_EXPONENT for slot in range(slots)]
        self._expected = [visitors * weight / sum(weights) for weight in weights]
        self._flicker = flicker
        self._flickers = [1.0] * slots
        self._flicker_until = -math.inf
        self._settle(0)

    def _settle(self, step: int) -> None:
        """Starts at `step` with the site in balance, but for surges."""
        self.step = step
        self._articles = [self.site.article(s, self.t) for s in range(len(self._expected))]
        self._next_change_t = min(article.to_t for article in self._articles)
        self._counts = [0] * len(self._expected)
        self._draining: dict[Article, int] = {}
        rates = self._rates(surges=False)
        for surge in self.site.surges(self.t - 3 * STAY_S, self.t) if self._has_past else []:
            if self._articles[surge.slot] == surge.article:
                rates[surge.slot] *= 1.0 + surge_share(surge, self.t)
        self._arrive(1.0, rates)

    @property
    def t(self) -> float:
        return self.start_t + self.step * self._step_s

    def advance(self, step: int) -> None:
        """Moves on to `step`; of a longer pause only the last CATCH_UP_S are lived through."""
        if (step - self.step) * self._step_s > CATCH_UP_S:
            self._settle(step - int(CATCH_UP_S / self._step_s))
        stays = math.exp(-self._step_s / STAY_S)
        while self.step < step:
            self.step += 1
            self._renew()
            self._leave(1.0 - stays)
            self._arrive(1.0 - stays, self._rates(surges=True))

    def _renew(self) -> None:
        """Replaces articles whose time is over; their last readers leave in their own time."""
        if self.t < self._next_change_t:
            return
        for slot, article in enumerate(self._articles):
            if article.to_t <= self.t:
                if self._counts[slot]:
                    self._draining[article] = self._counts[slot]
                self._counts[slot] = 0
                self._articles[slot] = self.site.article(slot, self.t)
        self._next_change_t = min(article.to_t for article in self._articles)

    def _rates(self, surges: bool) -> list[float]:
        """Concurrents that the present arrivals would lead to, by slot."""
        if self._flicker and self.t >= self._flicker_until:
            self._flicker_until = self.t + FLICKER_S
            gauss, width = self._rng.gauss, self._flicker
            self._flickers = [max(0.0, gauss(1.0, width)) for _ in self._expected]
        share = self._level(self.t)
        rates = [share * n * f for n, f in zip(self._expected, self._flickers)]
        for surge in self.site.surges(self.t, self.t) if surges else []:
            if self._articles[surge.slot] == surge.article:
                rates[surge.slot] *= surge.factor
        return rates

    def _arrive(self, share: float, rates: list[float]) -> None:
        """Poisson arrivals of `share` of the balance, as a Poisson process along all slots."""
        ends = list(accumulate(rate * share for rate in rates))
        gap, counts = self._rng.expovariate, self._counts
        at = gap(1.0)
        while at < ends[-1]:
            counts[bisect_right(ends, at)] += 1
            at += gap(1.0)

    def _leave(self, share: float) -> None:
        """Each visitor leaves with probability `share`; jumps from one leaver to the next."""
        gone = list(self._draining)
        ends = list(accumulate([*self._counts, *self._draining.values()]))
        scale = math.log(1.0 - share) if share < 1.0 else -math.inf
        at = int(math.log(1.0 - self._rng.random()) / scale)
        while at < ends[-1]:
            slot = bisect_right(ends, at)
            if slot < len(self._counts):
                self._counts[slot] -= 1
            else:
                self._draining[gone[slot - len(self._counts)]] -= 1
            at += 1 + int(math.log(1.0 - self._rng.random()) / scale)
        if gone:
            self._draining = {article: n for article, n in self._draining.items() if n}

    def top(self, limit: int) -> list[Page]:
        """The pages with most visitors, then by path."""
        rows = [(-n, a.path, a.title) for a, n in zip(self._articles, self._counts) if n]
        rows += [(-n, a.path, a.title) for a, n in self._draining.items()]
        rows.sort()
        grown = self._surging() if self._has_past else {}
        return [
            Page(path, title, -n, {"stats": sources(path, -n, grown[path])} if path in grown else None)
            for n, path, title in rows[:limit]
        ]

    def _surging(self) -> dict[str, float]:
        """By how much of itself each page has grown in a surge."""
        grown: dict[str, float] = {}
        for surge in self.site.surges(self.t - 3 * STAY_S, self.t):
            grown[surge.article.path] = max(grown.get(surge.article.path, 0.0), surge_share(surge, self.t))
        return grown

    def truth(self, until_t: float, births: bool = False) -> list[dict[str, Any]]:
        """What made pages rise between the start and `until_t`, at most a day of it.

        A surge gives path, from_t, to_t, factor (of arrivals) and base (the concurrents expected
        at from_t without it). With `births`, each new article is listed too, its factor null and
        its base the concurrents it grows to.
        """
        since_t = max(self.start_t, until_t - DAY_S)
        found = [
            self._fact("surge", s.slot, s.article, s.from_t, s.to_t, s.factor)
            for s in self.site.surges(since_t, until_t)
        ]
        if births:
            found += [
                self._fact("new", slot, article, article.from_t, article.to_t, None)
                for slot in range(len(self._expected))
                for article in self._born(slot, since_t, until_t)
            ]
        return sorted(found, key=lambda fact: (fact["from_t"], fact["path"]))

    def _born(self, slot: int, since_t: float, until_t: float) -> list[Article]:
        born, article = [], self.site.article(slot, since_t)
        while article.to_t <= until_t:
            article = self.site.article(slot, article.to_t + 1e-3)
            born.append(article)
        return born

    def _fact(
        self,
        kind: str,
        slot: int,
        article: Article,
        from_t: float,
        to_t: float,
        factor: float | None,
    ) -> dict[str, Any]:
        base = round(self._expected[slot] * self._level(from_t), 1)
        times = {"from_t": round(from_t, 3), "to_t": round(to_t, 3)}
        return {"kind": kind, "path": article.path, **times, "factor": factor, "base": base}
