"""The short form of tests/cluster/run: a primary that is killed, frozen, cut off; nothing acknowledged may be lost."""

import shutil
import subprocess

import pytest

from servers.processes import ROOT, allow_s

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.unhurried]


@pytest.mark.skipif(not shutil.which("patroni"), reason="patroni is not installed")
def test_clients_go_on_and_what_was_acknowledged_stays() -> None:
    command = [str(ROOT / "tests" / "cluster" / "run"), "--short"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=allow_s(400))
    print(ended.stdout)
    assert ended.returncode == 0 and "3 scenarios in" in ended.stdout, ended.stdout + ended.stderr
