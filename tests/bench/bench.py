"""tests/bench/run: what upbeat serves a second, beside what bounds it."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cpu
import load
import growth
from rig import BUILT, HOST, KEY, Poller, Rig, get, status_of

ROWS = {
    "return": "nginx `return 200`, same body",
    "copy": "nginx's cache and nothing else, same body, two headers",
    "loop": "bare FastCGI loop, same body",
    "select": "the same with one prepared select",
    "hit": "upbeat, hit path",
    "worker": "upbeat, worker path",
    "trends": "upbeat, /trends",
    "go": "Go, lists in memory, behind nginx",
    "prototype": "Flask, uwsgi, Redis, SQLAlchemy",
}
REFILLING_HOSTS = 50
WARM_AFTER_S = 0.4
TARGETS = [
    ("hit path ÷ nginx return 200", "hit", "return", 0.85),
    ("worker path ÷ FastCGI loop with a select", "worker", "select", 0.80),
    ("hit path ÷ prototype", "hit", "prototype", 150),
    ("worker path ÷ prototype", "worker", "prototype", 30),
    ("worker path ÷ Go behind nginx", "worker", "go", 1.0),
]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(rig: Rig, name: str, connections: int, seconds: int) -> dict[str, Any]:
    """Of what is asked for all the time: what the first request after a pause refills is not measured."""
    get(rig.urls[name])
    time.sleep(WARM_AFTER_S)
    get(rig.urls[name])
    before = cpu.descendants()
    one = load.wrk(rig.urls[name], KEY, connections, seconds)
    used = cpu.used_us(before, cpu.descendants())
    return {
        **vars(one),
        "cpu_us": {program: us / max(one.requests, 1) for program, us in used.items()},
    }


def rounds(rig: Rig, names: list[str], connections: int, count: int, seconds: int) -> dict[str, list]:
    """Interleaved, so that what disturbs the machine disturbs all rows alike; every other round backwards."""
    found: dict[str, list] = {name: [] for name in names}
    for number in range(count):
        for name in names if number % 2 == 0 else reversed(names):
            found[name].append(measure(rig, name, connections, seconds))
            say(f"  round {number + 1} {name}: {found[name][-1]['rate_per_s']:.0f}/s")
    return found


def median(rows: list[dict], member: str) -> float:
    return statistics.median(row[member] for row in rows)


def summary(rows: list[dict]) -> dict[str, Any]:
    rates = [row["rate_per_s"] for row in rows]
    programs = sorted({program for row in rows for program in row["cpu_us"]})
    cost = {p: statistics.median(row["cpu_us"].get(p, 0.0) for row in rows) for p in programs}
    return {
        "rate_per_s": statistics.median(rates),
        "spread": (max(rates) - min(rates)) / statistics.median(rates),
        **{p: median(rows, p) for p in ("p50_ms", "p90_ms", "p99_ms")},
        "failed": sum(row["failed"] for row in rows),
        "cpu_us": {p: us for p, us in cost.items() if us >= 0.5},
    }


def ratio_of(found: dict[str, list], above: str, below: str) -> float:
    """The median of the rounds' own ratios: each pair was measured side by side."""
    pairs = zip(found[above], found[below], strict=True)
    return statistics.median(a["rate_per_s"] / b["rate_per_s"] for a, b in pairs)


def print_rows(title: str, results: dict[str, Any]) -> None:
    print(f"\n{title}\n")
    print("| row | requests/s | spread | p50 ms | p90 ms | p99 ms | CPU µs a request |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, row in results.items():
        cost = ", ".join(f"{p} {us:.0f}" for p, us in row["cpu_us"].items())
        failed = f" ({row['failed']} failed)" if row["failed"] else ""
        print(
            f"| {ROWS.get(name, name)}{failed} | {row['rate_per_s']:.0f} | {row['spread']:.0%}"
            f" | {row['p50_ms']:.2f} | {row['p90_ms']:.2f} | {row['p99_ms']:.2f} | {cost} |"
        )


def print_ratios(ratios: list[dict[str, Any]]) -> None:
    print("\n| ratio | target | measured | |\n| --- | ---: | ---: | --- |")
    for row in ratios:
        bound = "at most" if row["at_most"] else "at least"
        met = "met" if row["met"] else "**not met**"
        print(f"| {row['name']} | {bound} {row['target']:g} | {row['value']:.3g} | {met} |")


def target(name: str, value: float, bound: float, at_most: bool = False) -> dict[str, Any]:
    met = value <= bound if at_most else value >= bound
    return {"name": name, "target": bound, "value": value, "at_most": at_most, "met": met}


def while_refilling(rig: Rig, count: int, seconds: int) -> dict[str, Any]:
    """The hit path alone and while 50 other hosts refill, as often as the TTL allows, in turns: each time beside
    the mean of alone before and after. What is to be seen is less than the machine changes by from turn to
    turn (one turn's ratio by 0.08), so there are many."""
    with Poller(rig, REFILLING_HOSTS) as poller:
        ratios, refills = [], []
        before = load.wrk(rig.urls["hit"], KEY, 64, seconds).rate_per_s
        for _ in range(count):
            poller.go_on()
            asked = _asked(rig)
            busy = load.wrk(rig.urls["hit"], KEY, 64, seconds).rate_per_s
            refills.append((_asked(rig) - asked) / seconds)
            poller.pause()
            after = load.wrk(rig.urls["hit"], KEY, 64, seconds).rate_per_s
            ratios.append(2 * busy / (before + after))
            say(f"  while 50 hosts refill: {busy:.0f}/s, alone {before:.0f} and {after:.0f}/s")
            before = after
    return {"ratio": statistics.median(ratios), "refills_per_s": statistics.median(refills)}


def _asked(rig: Rig) -> int:
    return sum(rig.simulator.counts()["hosts"].values())


def parsing(rig: Rig) -> dict[str, float]:
    """CPU of taking a full-size answer of Chartbeat apart."""
    url = f"{rig.simulator.upstream_url}/live/toppages/v3/?host={HOST}&limit=100"
    body = rig.folder / "upstream.json"
    body.write_bytes(get(url))
    done = subprocess.run([str(BUILT / "parse"), str(body)], capture_output=True, text=True, check=True)
    size, us = map(float, done.stdout.split())
    return {"body_bytes": size, "cpu_ms": us / 1000}


def machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
            if line.startswith("model name")
        ),
        "unknown CPU",
    )
    return f"{os.cpu_count()} × {model}, Linux {os.uname().release}, a system call {syscall_us():.2f} µs"


def syscall_us() -> float:
    """What the least of them takes: machines differ by ten times, and a hit has two more than `return 200`."""
    count = 100_000
    began_s = time.perf_counter()
    for _ in range(count):
        os.getppid()
    return (time.perf_counter() - began_s) / count * 1e6


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer and shorter rounds: under 2 minutes")
    add("--json", action="store_true", help="the same as JSON")
    add(
        "--growth",
        action="store_true",
        help="how cost grows, in place of the comparison; plots build/bench/growth.png",
    )
    add("--rows", help="only these, by commas: " + ", ".join(ROWS))
    add("--rounds", type=int, help="how many (5; --quick: 3)")
    add("--seconds", type=int, help="a round and row (3; --quick: 1)")
    add("--workers", type=int, default=0, help="in the pool; default: as fcgi/up has it")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that all that was started is stopped
    count = given.rounds or (3 if given.quick else 5)
    seconds = given.seconds or (1 if given.quick else 3)
    names = given.rows.split(",") if given.rows else list(ROWS)

    result = growth.measure(given.quick) if given.growth else compare(given, names, count, seconds)
    result |= {"machine": machine(), "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    if given.json:
        json.dump(result, sys.stdout, indent=1)
        print()
    elif given.growth:
        growth.show(result)
    else:
        show(result)
    return 0 if all(row["met"] for row in result["ratios"]) else 1


def compare(given: argparse.Namespace, names: list[str], count: int, seconds: int) -> dict[str, Any]:
    result: dict[str, Any] = {"rounds": count, "seconds": seconds}
    with Rig(workers=given.workers) as rig:
        rig.script_lists()
        body = rig.two_snapshots()
        result["body_bytes"] = len(body)
        rig.start_others(body, "prototype" in names)
        if "trends" in names and status_of(rig.urls["trends"]) != 200:
            names.remove("trends")
            say("  /trends does not answer 200 here: left out")
        for name in names:
            load.wrk(rig.urls[name], KEY, 16, 1)
        found = rounds(rig, names, 64, count, seconds)
        if "hit" in names and len(get(rig.urls["hit"])) != len(body):
            raise RuntimeError("the list has not stayed the same: the rows were not measured with the same body")
        result["rows"] = {name: summary(rows) for name, rows in found.items()}
        result["ratios"] = ratios_of(found)
        if {"hit", "worker"} <= set(names):
            more = rounds(rig, ["hit", "worker"], 100, max(1, count // 2), seconds)
            result["rows_100"] = {name: summary(rows) for name, rows in more.items()}
            busy = while_refilling(rig, count if given.quick else 4 * count, seconds)
            result["refilling"] = busy
            result["ratios"].append(target("hit path while 50 hosts refill ÷ alone", busy["ratio"], 0.9))
            result["siege"] = {
                name: load.siege(rig.urls[name], KEY, 100, seconds)
                for name in ("hit", "worker", "prototype")
                if name in names
            }
        result["worker_pss_kb"] = max(cpu.proportional_kb("upbeat-fcgi"))
        result["parsing"] = parsing(rig)
        result["ratios"] += [
            target("memory of a worker, MB", result["worker_pss_kb"] / 1024, 6, at_most=True),
            target("CPU to parse a full answer, ms", result["parsing"]["cpu_ms"], 5, at_most=True),
        ]
    return result


def ratios_of(found: dict[str, list]) -> list[dict[str, Any]]:
    ratios = [
        target(title, ratio_of(found, above, below), bound)
        for title, above, below, bound in TARGETS
        if above in found and below in found
    ]
    if "worker" in found:
        tail = statistics.median(row["p99_ms"] / row["p50_ms"] for row in found["worker"])
        ratios.append(target("worker path, p99 ÷ p50", tail, 4, at_most=True))
    return ratios


def show(result: dict[str, Any]) -> None:
    print(
        f"{result['machine']}; body {result['body_bytes']} bytes;"
        f" {result['rounds']} interleaved rounds of {result['seconds']} s, medians"
    )
    print_rows("wrk, 64 connections", result["rows"])
    if "rows_100" in result:
        print_rows("wrk, 100 connections", result["rows_100"])
        rates = ", ".join(f"{ROWS[name]} {rate:.0f}/s" for name, rate in result["siege"].items())
        print(f"\nsiege, 100 clients without pauses: {rates}")
        print(f"50 hosts: {result['refilling']['refills_per_s']:.0f} refills a second meanwhile")
    print_ratios(result["ratios"])


if __name__ == "__main__":
    sys.exit(main())
