"""How the cost of a request on the worker path grows with what there is to know.

The points of a row are measured one after the other, and the machine is not the same for minutes: each is measured
in turns with nginx's `return 200`, and what is compared is the ratio of the two."""

import hashlib
import statistics
import subprocess
from pathlib import Path
from typing import Any

import load
from rig import BUILT, KEY, PATH, HOST, Rig

CONNECTIONS = 64
# Rows stay fresh for the measurement: no refill may be in the figure.
LASTING = {"UPBEAT_TTL_MS": "60000", "UPBEAT_STALE_MS": "300000"}
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()

PAGES = """
with lists as (
    select string_agg(format(E'%s\\t/section/%s-a-path-of-usual-length\\tTitle number %s: as long as titles are\\n',
                             1 + (1000000 / n)::integer, n, n), '' order by n) as before,
           string_agg(format(E'%s\\t/section/%s-a-path-of-usual-length\\tTitle number %s: as long as titles are\\n',
                             1 + (1000000 / n)::integer + (n % 3 / 2), n, n), '' order by n) as now
    from generate_series(1, {pages}) n)
insert into cache (host, taken_at, pages, previous_at, previous_pages)
select {host}, clock_timestamp(), now, clock_timestamp() - interval '5 s', before
from lists, generate_series({first}, {last}) h
on conflict (host) do update set taken_at = excluded.taken_at, pages = excluded.pages,
    previous_at = excluded.previous_at, previous_pages = excluded.previous_pages
"""
KEYS = """
insert into key_checks (host, digest, state, checked_at)
select {host}, {digest}, 'accepted', clock_timestamp() from generate_series({first}, {last}) h
on conflict (host, digest) do update set checked_at = clock_timestamp()
"""
NUMBERED = "'host-' || h || '.example'"
LUA = """
local n = 0
function request()
    n = n % {hosts} + 1
    return wrk.format("GET", "{path}" .. "host-" .. n .. ".example", {{["X-CB-AK"] = "{key}"}})
end
"""


def seed(rig: Rig, host: str, first: int, last: int, pages: int = 100) -> None:
    rig.sql(PAGES.format(host=host, first=first, last=last, pages=pages))
    mine = f"decode('{DIGEST}', 'hex')"
    rig.sql(KEYS.format(host=host, digest=mine, first=first, last=last))


def _rate(url: str, seconds: int, more: list[str] | None = None) -> float:
    one = load.wrk(url, KEY, CONNECTIONS, seconds, more)
    assert not one.failed, one
    return one.rate_per_s


class Meter:
    """Rates of the worker path as shares of `return 200` beside it."""

    def __init__(self, seconds: int, rounds: int) -> None:
        self._seconds = seconds
        self._rounds = rounds
        self._returns: list[float] = []

    def share(self, rig: Rig, path: str = PATH, lua: Path | None = None) -> float:
        url = rig.urls["worker"].replace(PATH, path)
        more = ["-s", str(lua)] if lua else []
        _rate(url, 1, more)
        shares = []
        for _ in range(self._rounds):
            before = _rate(rig.urls["return"], 1)
            rate = _rate(url, self._seconds, more)
            after = _rate(rig.urls["return"], 1)
            shares.append(rate / (before + after) * 2)
            self._returns += [before, after]
        return statistics.median(shares)

    def rate_per_s(self) -> float:
        """Of `return 200`, over all rounds: what a share of 1 stands for."""
        return statistics.median(self._returns)


def by_pages(rig: Rig, meter: Meter) -> list[dict[str, Any]]:
    """Once with a body that the worker has kept, and once with lists to take apart: each limit is another body."""
    rows = []
    lua = rig.folder / "limit.lua"
    path = PATH + "&limit="
    lua.write_text(
        "local n = 0\nfunction request()\n    n = n % 5000 + 1\n"
        f'    return wrk.format("GET", "{path}" .. (5000 + n), {{["X-CB-AK"] = "{KEY}"}})\nend\n'
    )
    for pages in (100, 1000, 10000):
        seed(rig, f"'{HOST}'", 1, 1, pages)
        rows.append({"at": pages, "share": meter.share(rig), "apart": meter.share(rig, lua=lua)})
    return rows


def by_hosts(rig: Rig, meter: Meter, most: int) -> list[dict[str, Any]]:
    """Ten hosts are asked for, of so many that are known."""
    rows, known = [], 0
    lua = rig.folder / "hosts.lua"
    lua.write_text(LUA.format(hosts=10, path=PATH.replace(HOST, ""), key=KEY))
    for hosts in (10, 100, 1000, 10000, 100000):
        if hosts > most:
            break
        seed(rig, NUMBERED, known + 1, hosts)
        known = hosts
        rig.sql("vacuum analyze cache, key_checks")
        rig.sql("checkpoint")
        seed(rig, NUMBERED, 1, 10)
        rows.append({"at": hosts, "share": meter.share(rig, PATH.replace(HOST, ""), lua)})
    return rows


def by_history(rig: Rig, meter: Meter) -> list[dict[str, Any]]:
    rows, days = [], 0
    for more in (1, 7, 30, 90):
        rig.sql(
            "insert into snapshots (host, taken_at, row_limit, page_ids, visitors)"
            f" select '{HOST}', now() - d * interval '1 minute', 100, array_agg(n), pack_counts(array_agg(n::integer))"
            f" from generate_series({days} * 1440 + 1, {more} * 1440) d, generate_series(1, 100) n group by d"
        )
        days = more
        rig.sql("vacuum analyze snapshots")
        rig.sql("checkpoint")
        seed(rig, f"'{HOST}'", 1, 1)
        rows.append({"at": days, "share": meter.share(rig)})
    return rows


def by_keys(rig: Rig, meter: Meter) -> list[dict[str, Any]]:
    rows = []
    for keys in (1, 10, 100, 1000):
        others = "sha256(h::text::bytea)"
        rig.sql(KEYS.format(host=f"'{HOST}'", digest=others, first=2, last=keys))
        seed(rig, f"'{HOST}'", 1, 1)
        rows.append({"at": keys, "share": meter.share(rig)})
    return rows


def by_workers(meter: Meter) -> list[dict[str, Any]]:
    rows = []
    for workers in (1, 2, 4, 8, 16, 32):
        with Rig(workers=workers, **LASTING) as rig:
            rig.start_nginx_only()
            seed(rig, f"'{HOST}'", 1, 1)
            rows.append({"at": workers, "share": meter.share(rig)})
    return rows


TITLES = {
    "pages": "pages per list",
    "hosts": "known hosts",
    "history": "days of history, a snapshot a minute",
    "keys": "keys per host",
    "workers": "workers",
}


def measure(quick: bool) -> dict[str, Any]:
    meter = Meter(1, 1) if quick else Meter(2, 5)
    result: dict[str, Any] = {}
    with Rig(**LASTING) as rig:
        rig.start_nginx_only()
        result["pages"] = by_pages(rig, meter)
        result["keys"] = by_keys(rig, meter)
        result["history"] = by_history(rig, meter)
        result["hosts"] = by_hosts(rig, meter, 10000 if quick else 100000)
    result["workers"] = by_workers(meter)
    result["return_per_s"] = meter.rate_per_s()
    for name in TITLES:
        for row in result[name]:
            row["rate_per_s"] = row["share"] * result["return_per_s"]
    result["ratios"] = bounds(result)
    plot(result)
    return result


def bounds(result: dict[str, Any]) -> list[dict[str, Any]]:
    first, last = result["pages"][0], result["pages"][-1]
    factor = last["at"] / first["at"]
    linear = f"time per request at {last['at']} pages ÷ {factor:g} times that at {first['at']}"
    return [
        _bound(linear, first["share"] / last["share"] / factor, 1.0, True),
        _bound(linear + ", lists taken apart", first["apart"] / last["apart"] / factor, 1.0, True),
        *(_flat(result[name], what) for name, what in (("hosts", "hosts"), ("history", "days"), ("keys", "keys"))),
    ]


def _flat(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    lowest = min(row["share"] for row in rows) / rows[0]["share"]
    return _bound(f"lowest rate with more {what} ÷ rate with {rows[0]['at']}", lowest, 0.9, False)


def _bound(name: str, value: float, bound: float, at_most: bool) -> dict[str, Any]:
    met = value <= bound if at_most else value >= bound
    return {"name": name, "value": value, "target": bound, "at_most": at_most, "met": met}


def plot(result: dict[str, Any]) -> None:
    panels = []
    for name, title in TITLES.items():
        data = "\n".join(f"{row['at']} {row['rate_per_s']:.0f}" for row in result[name])
        panels.append(f"${name} << END\n{data}\nEND\nset title '{title}'\nplot ${name} with linespoints notitle")
    script = (
        f"set terminal pngcairo size 1200,700\nset output '{BUILT}/growth.png'\nset logscale x\n"
        "set yrange [0:*]\nset ylabel 'requests/s'\nset multiplot layout 2,3\n" + "\n".join(panels)
    )
    subprocess.run(["gnuplot"], input=script, text=True, check=True, capture_output=True)


def show(result: dict[str, Any]) -> None:
    print(f"{result['machine']}; `return 200` beside it: {result['return_per_s']:.0f}/s")
    for name, title in TITLES.items():
        print(f"\n| {title} | requests/s | µs a request |\n| ---: | ---: | ---: |")
        for row in result[name]:
            apart = row.get("apart")
            note = f" ({apart * result['return_per_s']:.0f} where lists are taken apart)" if apart else ""
            print(f"| {row['at']} | {row['rate_per_s']:.0f}{note} | {1e6 / row['rate_per_s']:.1f} |")
    print("\n| bound | target | measured | |\n| --- | ---: | ---: | --- |")
    for row in result["ratios"]:
        word = "at most" if row["at_most"] else "at least"
        print(
            f"| {row['name']} | {word} {row['target']:g} | {row['value']:.2f} |"
            f" {'met' if row['met'] else '**not met**'} |"
        )
    print(f"\nplot: {BUILT}/growth.png")
