"""A stand-in for Chartbeat's real-time API: `python3 tests/simulator --help`."""

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

from aiohttp import web

from ledger import Keys, Rate
from server import Control, Settings, Upstream

BACKLOG = 4096
DRAIN_S = 0.2


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)


def _key(text: str) -> tuple[str, set[str]]:
    key, _, hosts = text.partition("=")
    if not key or not hosts:
        # The text may hold a key: argparse would print what the message holds.
        raise argparse.ArgumentTypeError("give KEY=HOST[,HOST...]")
    return key, set(hosts.lower().split(","))


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator",
        description="A simulated Chartbeat; prints `ready upstream=URL control=URL`.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--listen", type=_address, default="127.0.0.1:0", help="address of the upstream")
    add("--control", type=_address, default="127.0.0.1:0", help="address of the control")
    add("--source", choices=["model", "replay", "script", "day"], default="model", help="of the lists")
    traffic = os.environ.get("UPBEAT_TRAFFIC")
    add("--traffic", default=traffic, help="file to replay; the default is $UPBEAT_TRAFFIC")
    add("--start", type=_whole, default=36000, help="second of that file to start at")
    day = str(Path(__file__).with_name("day.toml"))
    add("--day", default=day, help="what happens at which time of the day, for the source of that name")
    add("--seed", type=int, default=1, help="of the model and the day")
    add("--epoch", type=float, help="Unix time at which the model or the day starts; None: now")
    add("--visitors", type=_positive, default=8000, help="mean concurrents of a modelled site")
    add("--flicker", type=float, default=0.0, help="deviation of the arrivals' rate, per minute")
    add("--has-past", action="store_true", help="the model goes on from where past.py ends")
    add("--worlds", type=_whole, default=0, help="models that all hosts share; 0: one for each")
    add("--speed", type=_positive, default=1.0, help="of the clock of model, day and replay")
    add("--latency-ms", type=float, default=100, help="before each answer")
    add("--step-ms", type=_positive, default=3000, help="data change this often")
    add("--limit-per-minute", type=_whole, default=200, help="for each host and key")
    demo = "may be repeated; None: demo-key-0001=demo.example"
    add("--key", type=_key, action="append", metavar="KEY=HOST[,HOST...]", help=demo)
    return parser.parse_args()


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        source=given.source,
        seed=given.seed,
        start_t=float(int(time.time())) if given.epoch is None else given.epoch,
        speed=given.speed,
        step_ms=given.step_ms,
        latency_ms=given.latency_ms,
        visitors=given.visitors,
        flicker=given.flicker,
        has_past=given.has_past,
        day=given.day,
        worlds=given.worlds,
        traffic=given.traffic,
        replay_start_s=given.start,
    )


async def _listen(name: str, app: web.Application, address: tuple[str, int]) -> tuple:
    """The runner and its URL. Raises SystemExit with a sentence where the address can't be had."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, *address, shutdown_timeout=DRAIN_S, backlog=BACKLOG).start()
    except OSError as error:
        where = f"{address[0]}:{address[1]}"
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise SystemExit(f"simulator: cannot listen on {where} ({name}): {why}")
    host, port = runner.addresses[0][:2]
    return runner, f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _run(given: argparse.Namespace, upstream: Upstream) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    up, upstream_url = await _listen("upstream", upstream.app(), given.listen)
    control, control_url = await _listen("control", Control(upstream).app(), given.control)
    print(f"simulated Chartbeat, source {given.source}", file=sys.stderr, flush=True)
    print(f"ready upstream={upstream_url} control={control_url}", flush=True)
    await stopped.wait()
    upstream.faults.reset()
    await asyncio.gather(up.cleanup(), control.cleanup())


def main() -> None:
    given = _arguments()
    if given.source == "replay" and not given.traffic:
        raise SystemExit("simulator: --source replay needs --traffic FILE or UPBEAT_TRAFFIC")
    keys = dict(given.key) if given.key else {"demo-key-0001": {"demo.example"}}
    try:
        upstream = Upstream(_settings(given), Keys(keys), Rate(given.limit_per_minute))
    except (OSError, ValueError) as error:
        raise SystemExit(f"simulator: {error}")
    # aiohttp logs the first line of a malformed request, and that line can hold a key.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL + 1)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_run(given, upstream))


if __name__ == "__main__":
    main()
