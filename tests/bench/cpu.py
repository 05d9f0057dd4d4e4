"""What our processes cost, from /proc: everything that descends from this one, by program."""

import os
import subprocess
from pathlib import Path

TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
LOADS = {"wrk", "siege", "python3", "run", "bash"}


def _stat(pid: str) -> tuple[str, int, int] | None:
    """Name, parent, ticks of user and system."""
    try:
        text = Path("/proc", pid, "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return name, int(fields[1]), int(fields[11]) + int(fields[12])


def descendants() -> dict[int, tuple[str, int]]:
    """Process id to name and ticks, of all that come from this process."""
    table = {int(pid): stat for pid in os.listdir("/proc") if pid.isdigit() and (stat := _stat(pid))}
    known = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (_, parent, _) in table.items() if parent in known} - known
        known |= more
        grown = bool(more)
    return {pid: (table[pid][0], table[pid][2]) for pid in known if pid in table}


def used_us(before: dict[int, tuple[str, int]], after: dict[int, tuple[str, int]]) -> dict[str, float]:
    """CPU between two looks, by program, without the load itself."""
    used: dict[str, float] = {}
    for pid, (name, ticks) in after.items():
        if name not in LOADS:
            past = before[pid][1] if pid in before else 0
            used[name] = used.get(name, 0.0) + (ticks - past) * TICK_US
    return used


def proportional_kb(name: str) -> list[int]:
    """Proportional set size of each process of that name."""
    return _sizes_kb(name, ("Pss:",))


def private_kb(name: str) -> list[int]:
    """Memory of each process of that name that it shares with no other."""
    return _sizes_kb(name, ("Private_Clean:", "Private_Dirty:"))


def _sizes_kb(name: str, fields: tuple[str, ...]) -> list[int]:
    """Through sudo where we are not root: our programs let nobody else look."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    sizes = []
    for pid, (its_name, _) in descendants().items():
        if its_name == name:
            command = [*sudo, "cat", f"/proc/{pid}/smaps_rollup"]
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
            sizes.append(sum(int(line.split()[1]) for line in lines if line.startswith(fields)))
    return sizes
