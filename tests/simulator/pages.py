"""Bodies in the two forms that Chartbeat answers in, at the size that it answers in.

A v3 page object takes 2 to 4 KB, nearly all of it histograms that nobody here reads. That filler
does not depend on the page: VARIANTS of it are made once, and a page takes one by its path.
"""

import json
import random
import zlib
from functools import lru_cache
from typing import Any, NamedTuple

V3 = "v3"
LEGACY = "legacy"
VARIANTS = 64
SECTIONS = ["news", "politics", "business", "sport", "culture", "science", "world", "opinion"]
AUTHORS = ["Ada Brandt", "Jürgen Weiß", "María Peña", "Łukasz Wójcik", "Chidi Okafor", "李 明"]
DOMAINS = ["google.com", "news.google.com", "t.co", "facebook.com", "reddit.com", "bing.com"]
HISTOGRAMS = ["engaged_time", "engaged_visit", "writing_visit", "domload", "scroll", "visit"]


class Page(NamedTuple):
    """One row of an answer.

    `visitors` is any JSON value and is served as it is. `extra` comes from a script: `raw`
    replaces the object, `stats` is merged into its stats, `omit` names members to leave out, and
    every other member replaces the one of its name.
    """

    path: str
    title: str | None
    visitors: Any
    extra: dict[str, Any] | None = None


def _dumps(value: Any, ascii_only: bool = False) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)


def _histogram(rng: random.Random, size: int) -> dict[str, Any]:
    breaks = [round(i * rng.uniform(4.5, 5.5), 2) for i in range(size)]
    hist = [rng.randrange(0, 60) for _ in range(size)]
    values = sum(hist)
    total = round(sum(n * at for n, at in zip(hist, breaks)), 3)
    return {
        "breaks": breaks,
        "num_values": values,
        "median": round(rng.uniform(10, 60), 2),
        "hist": hist,
        "avg": round(total / max(values, 1), 3),
        "sum": total,
    }


@lru_cache(maxsize=VARIANTS)
def _variant(number: int) -> tuple[tuple[int, int, int, int], str, str]:
    """Shares of direct, links, search and social (per mille), sections and authors, the filler."""
    rng = random.Random(number)
    shares = tuple(rng.randrange(40, 230) for _ in range(4))
    who = {"sections": rng.sample(SECTIONS, 2), "authors": rng.sample(AUTHORS, rng.randrange(3))}
    stats: dict[str, Any] = {name: _histogram(rng, rng.randrange(24, 36)) for name in HISTOGRAMS}
    referrers = rng.sample(DOMAINS, rng.randrange(2, 6))
    stats |= {
        "performance_score": rng.randrange(100),
        "subscr": {"anon": rng.randrange(40), "lgdin": rng.randrange(9), "paid": rng.randrange(9)},
        "platform": {"m": rng.randrange(60), "t": rng.randrange(9), "d": rng.randrange(40)},
        "platform_engaged": {"m": rng.uniform(20, 60), "t": 31.5, "d": rng.uniform(20, 60)},
        "article": rng.randrange(2),
        "toprefs": [{"domain": d, "visitors": rng.randrange(1, 30)} for d in referrers],
        "recirc": rng.randrange(20),
        "crowd": None,
        "num_refs": len(referrers),
    }
    return shares, _dumps(who)[1:-1], _dumps(stats)[1:]


@lru_cache(maxsize=16384)
def _head(path: str, title: str | None) -> tuple[str, int]:
    """Start of a v3 page object, up to its stats, and the number of its variant."""
    digest = zlib.crc32(path.encode("utf-8", "surrogatepass"))
    number = digest % VARIANTS
    # Both spellings of Unicode are valid JSON, so both must occur: raw UTF-8 and \u escapes.
    escaped = bool(digest & 0x8000)
    named = _dumps({"path": path, "title": title}, escaped)[1:-1]
    return f'{{{named},{_variant(number)[1]},"stats":{{', number


def split(path: str, people: int) -> dict[str, int]:
    """The visitors of a page by source, as _v3() has them."""
    shares = _variant(zlib.crc32(path.encode("utf-8", "surrogatepass")) % VARIANTS)[0]
    parts = {name: people * share // 1000 for name, share in zip(("direct", "links", "search", "social"), shares)}
    return parts | {"internal": people - sum(parts.values())}


def _v3(path: str, title: str | None, people: int) -> str:
    head, number = _head(path, title)
    shares, _, filler = _variant(number)
    direct, links, search, social = (people * share // 1000 for share in shares)
    internal = people - direct - links - search - social
    write, idle, new = people // 50, people // 3, people // 4
    return (
        f'{head}"people":{people},"visits":{people},"read":{people - write - idle},'
        f'"write":{write},"idle":{idle},"direct":{direct},"links":{links},"search":{search},'
        f'"social":{social},"internal":{internal},"new":{new},{filler}}}'
    )


def _special(page: Page, form: str) -> str:
    """A page of a script or a fault, where any member may hold anything."""
    extra = dict(page.extra or {})
    if "raw" in extra:
        return _dumps(extra["raw"])
    stats, omit = extra.pop("stats", {}), extra.pop("omit", [])
    if form == LEGACY:
        made = {"i": page.title, "path": page.path, "visitors": page.visitors}
        omit = [{"title": "i", "stats": "visitors"}.get(name, name) for name in omit]
    else:
        whole = type(page.visitors) is int and page.visitors >= 0
        made = json.loads(_v3(page.path, page.title, page.visitors if whole else 0))
        made["stats"]["people"] = page.visitors
        if isinstance(stats, dict):
            made["stats"] |= stats
        else:
            made["stats"] = stats
    made |= extra
    return _dumps({name: value for name, value in made.items() if name not in omit})


def _object(page: Page, form: str) -> str:
    if page.extra or type(page.visitors) is not int or page.visitors < 0:
        return _special(page, form)
    if form == LEGACY:
        return _dumps({"i": page.title, "path": page.path, "visitors": page.visitors})
    return _v3(page.path, page.title, page.visitors)


def body(pages: list[Page], form: str) -> bytes:
    """The encoded answer; the order of `pages` is kept."""
    joined = ",".join(_object(page, form) for page in pages)
    text = f"[{joined}]" if form == LEGACY else f'{{"pages":[{joined}]}}'
    return text.encode("utf-8", "surrogatepass")


def from_json(given: dict[str, Any]) -> Page:
    """A page as a script gives it; without a title it gets one made of its path."""
    extra = {k: v for k, v in given.items() if k not in ("path", "title", "visitors")}
    path = given.get("path", "/")
    return Page(path, given.get("title", f"Title of {path}"), given.get("visitors", 0), extra)
