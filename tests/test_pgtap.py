"""The SQL's own tests (pgTAP), each file on a migrated database."""

import os
import shutil
import subprocess
from typing import Any

import pytest

from servers.postgres import Postgres
from servers.processes import ROOT

FILES = sorted((ROOT / "sql" / "tests").glob("*.sql"))


pytestmark = pytest.mark.once  # it is SQL that is tested here


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> Any:
    database = postgres.new_database()
    postgres.execute("create extension pgtap", database.name)
    return database


@pytest.mark.skipif(not shutil.which("pg_prove"), reason="pg_prove is not installed")
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_sql(postgres: Postgres, template: Any, file: Any) -> None:
    database = postgres.new_database(template.name)
    where = {"PGHOST": str(postgres.folder), "PGDATABASE": database.name, "PGUSER": "postgres"}
    ended = subprocess.run(
        ["pg_prove", "--verbose", str(file)],
        env=os.environ | where,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
