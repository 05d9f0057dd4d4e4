"""A site whose day goes by a script, such as day.toml: a tide, surges by one source, outages, new headlines."""

import math
import random
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from pages import Page

DAY_S = 86400
CATCH_UP_S = 3600.0
SOURCES = ("search", "social", "links", "direct", "internal")
SHARES = {"search": 0.25, "links": 0.05, "direct": 0.3, "social": 0.1}  # the rest comes from the site itself


class Surge(NamedTuple):
    from_s: int
    to_s: int
    page: int
    visitors: float
    source: str


class Outage(NamedTuple):
    from_s: int
    to_s: int
    pages: int


class Headline(NamedTuple):
    at_s: int
    page: int
    title: str
    factor: float


def _second(text: str) -> int:
    """Of the day, of HH:MM or HH:MM:SS."""
    found = re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d))?", text)
    second = int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3] or 0) if found else DAY_S + 1
    if second > DAY_S:
        raise ValueError(f"{text!r} is no time of the day")
    return second


class DayScript:
    """What happens when. Raises OSError, or ValueError for what is no such script."""

    def __init__(self, file: str | Path) -> None:
        try:
            self._read(tomllib.loads(Path(file).read_text(encoding="utf-8")))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{file}: missing or misplaced: {error}") from None
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None

    def _read(self, given: dict[str, Any]) -> None:
        known = {"stay_s", "pages", "tide", "surges", "outages", "headlines"}
        if unknown := set(given) - known:
            raise ValueError(f"{sorted(unknown)[0]!r} is not known")
        self.stay_s = float(given["stay_s"])
        largest, count = given["pages"]["largest"], given["pages"]["count"]
        self.base = [12 * largest / (12 + page) for page in range(count)]
        self.tide = sorted((_second(at), float(share)) for at, share in given["tide"].items())
        if self.tide[0][0] != 0 or self.tide[-1][0] != DAY_S:
            raise ValueError("the tide goes from 00:00 to 24:00")
        self.surges = [
            Surge(_second(one["from"]), _second(one["to"]), one["page"], one["visitors"], one["source"])
            for one in given.get("surges", [])
        ]
        self.outages = [
            Outage(_second(one["from"]), _second(one["to"]), one["pages"]) for one in given.get("outages", [])
        ]
        self.headlines = sorted(
            Headline(_second(one["at"]), one["page"], one["title"], one["factor"]) for one in given.get("headlines", [])
        )
        for one in [*self.surges, *self.headlines]:
            if not 0 <= one.page < count:
                raise ValueError(f"there is no page {one.page}")
        for surge in self.surges:
            if surge.source not in SOURCES:
                raise ValueError(f"{surge.source!r} is none of {', '.join(SOURCES)}")

    def share(self, second: float) -> float:
        for (from_s, before), (to_s, after) in zip(self.tide, self.tide[1:], strict=False):
            if second <= to_s:
                done = (second - from_s) / (to_s - from_s)
                return before + (after - before) * done * done * (3 - 2 * done)
        return self.tide[-1][1]

    def headline(self, page: int, second: float) -> Headline | None:
        """The newest of the day."""
        found = [one for one in self.headlines if one.page == page and one.at_s <= second]
        return found[-1] if found else None


class Day:
    """Visitors come and go: each list is the one before, less those that left, plus those that came. Times are Unix
    seconds."""

    def __init__(self, script: DayScript, name: str, step_s: float, start_t: float) -> None:
        self._script, self.start_t, self._step_s = script, start_t, step_s
        self._dice = random.Random(f"{name}/{start_t}")
        self._settle(0)

    def _settle(self, step: int) -> None:
        self.step = step
        self._counts = [self._level(page) for page in range(len(self._script.base))]
        self._extra = [0.0] * len(self._script.surges)

    @property
    def t(self) -> float:
        return self.start_t + self.step * self._step_s

    @property
    def second(self) -> float:
        return self.t % DAY_S

    def _level(self, page: int) -> float:
        """Visitors to which the arrivals would lead."""
        headline = self._script.headline(page, self.second)
        return self._script.base[page] * self._script.share(self.second) * (headline.factor if headline else 1)

    def advance(self, step: int) -> None:
        """Moves on to `step`; of a longer pause only the last CATCH_UP_S are lived through."""
        if (step - self.step) * self._step_s > CATCH_UP_S:
            self._settle(step - int(CATCH_UP_S / self._step_s))
        share = 1 - math.exp(-self._step_s / self._script.stay_s)
        while self.step < step:
            self.step += 1
            for page in range(len(self._counts)):
                self._counts[page] = self._next(self._counts[page], self._level(page), share)
            for number, surge in enumerate(self._script.surges):
                level = surge.visitors if surge.from_s <= self.second < surge.to_s else 0.0
                self._extra[number] = self._next(self._extra[number], level, share)

    def _next(self, count: float, level: float, share: float) -> float:
        """Poisson arrivals and departures, as normal deviates."""
        noise = math.sqrt(share * (level + max(count, 0.0) * (1 - share)))
        return count + share * (level - count) + noise * self._dice.gauss(0, 1)

    def top(self, limit: int) -> list[Page]:
        """The pages with most visitors, then by number."""
        rows = sorted(((self._page(page)) for page in range(len(self._counts))), key=lambda page: -page.visitors)
        for outage in self._script.outages:
            if outage.from_s <= self.second < outage.to_s:
                limit = min(limit, outage.pages)
        return rows[:limit]

    def _page(self, page: int) -> Page:
        headline = self._script.headline(page, self.second)
        own = max(round(self._counts[page]), 1)
        sources = {source: int(own * share) for source, share in SHARES.items()}
        sources["internal"] = own - sum(sources.values())
        people = own
        for surge, count in zip(self._script.surges, self._extra, strict=True):
            if surge.page == page and count >= 0.5:
                sources[surge.source] += round(count)
                people += round(count)
        title = headline.title if headline else f"Page {page}"
        return Page(f"/p{page}", title, people, {"stats": sources})

    def truth(self, until_t: float, births: bool = False) -> list[dict[str, Any]]:
        """The surges of the days between the start and `until_t`, as Model.truth() has them."""
        found = []
        first, last = int(self.start_t // DAY_S), int(until_t // DAY_S)
        for day in range(first, last + 1):
            for surge in self._script.surges:
                from_t, to_t = day * DAY_S + surge.from_s, day * DAY_S + surge.to_s
                if to_t < self.start_t or from_t > until_t:
                    continue
                base = self._script.base[surge.page] * self._script.share(surge.from_s)
                found.append(
                    {
                        "kind": "surge",
                        "path": f"/p{surge.page}",
                        "from_t": from_t,
                        "to_t": to_t,
                        "factor": round(1 + surge.visitors / base, 2),
                        "base": round(base, 1),
                    }
                )
        return found
