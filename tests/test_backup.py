"""Backup and point-in-time recovery by pgBackRest, by the file and the words of fcgi/cluster and fcgi/OPERATORS.md."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from servers.postgres import Postgres
from servers.processes import ROOT, as_user, await_true, own_by

pytestmark = [pytest.mark.once, pytest.mark.unhurried]

ARCHIVE = "archive_mode = on\narchive_command = 'pgbackrest --config={conf} --stanza=upbeat archive-push %p'\n"


class Backup:
    """pgBackRest with places below `folder`."""

    def __init__(self, folder: Path, data: Path) -> None:
        text = (ROOT / "fcgi" / "cluster" / "pgbackrest.conf").read_text(encoding="utf-8")
        places = {
            "/var/lib/postgresql/15/upbeat": str(data),
            "/var/lib/pgbackrest": str(folder / "repository"),
            "/var/run/postgresql": str(data.parent),
            "[global]": f"[global]\nlock-path={folder}/lock\nspool-path={folder}/spool",
        }
        for ours, theirs in places.items():
            text = text.replace(ours, theirs)
        for name in ("repository", "lock", "spool"):
            (folder / name).mkdir()
            own_by(folder / name, "postgres")
        self.conf = folder / "pgbackrest.conf"
        self.conf.write_text(text, encoding="utf-8")

    def run(self, *words: str) -> str:
        command = [*as_user("postgres"), "pgbackrest", f"--config={self.conf}", "--stanza=upbeat", *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd="/")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout


@pytest.mark.skipif(not shutil.which("pgbackrest"), reason="pgbackrest is not installed")
def test_a_table_that_was_emptied_comes_back_as_of_the_second_before(folder: Path) -> None:
    place = folder / "backup"
    place.mkdir()
    postgres = Postgres(place / "pg", ARCHIVE.format(conf=place / "pgbackrest.conf"))
    backup = Backup(place, postgres.cluster)
    postgres.make()
    try:
        backup.run("stanza-create")
        backup.run("check")
        backup.run("--type=full", "backup")
        ended_s = time.time()
        # pgBackRest knows the end of a backup to the second, and restores to a time after it only.
        await_true(lambda: int(time.time()) > int(ended_s), 5, "the next second")
        postgres.execute("insert into hosts (host) values ('after-the-backup.example')", "template_upbeat")
        before = postgres.value("select clock_timestamp()::text")
        postgres.execute("delete from hosts", "template_upbeat")
        last = postgres.value("select pg_walfile_name(pg_switch_wal())")
        archived = "select last_archived_wal from pg_stat_archiver"
        await_true(lambda: (postgres.value(archived) or "") >= last, 60, "all of it in the repository")
        postgres.stop()
        backup.run("--delta", "--type=time", f"--target={before}", "--target-action=promote", "restore")
        postgres.start()
        # It takes connections before it has replayed all that it is to.
        await_true(lambda: not postgres.value("select pg_is_in_recovery()"), 60, "the end of the recovery")
        assert postgres.value("select host from hosts", "template_upbeat") == "after-the-backup.example"
    finally:
        postgres.stop()
