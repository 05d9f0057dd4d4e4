"""The short form of tests/cluster/run: a primary that is killed, frozen, cut off; nothing acknowledged may be lost."""

import shutil
import subprocess

import pytest

from servers.processes import ROOT

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.unhurried]

# What clients hear while there is no primary; all other limits are about data.
HEARD = ("answers for warm hosts are not 200", "cold hosts are refused", "the slowest answer")


@pytest.mark.skipif(not shutil.which("patroni"), reason="patroni is not installed")
def test_what_was_acknowledged_outlives_the_primary() -> None:
    command = [str(ROOT / "tests" / "cluster" / "run"), "--short"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=400)
    print(ended.stdout)
    broken = [line for line in ended.stdout.splitlines() if line.startswith("FAILED")]
    heard = [line for line in broken if any(words in line for words in HEARD)]
    assert "3 scenarios in" in ended.stdout, ended.stdout + ended.stderr
    assert broken == heard, "\n".join(broken)
    if heard:
        pytest.xfail("what clients hear is not within the bounds yet: " + "; ".join(heard))
