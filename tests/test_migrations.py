"""sql/migrate: numbered files, forward only, harmless to repeat."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from servers.postgres import Database, Postgres
from servers.processes import ROOT

pytestmark = pytest.mark.once

FILES = sorted((ROOT / "sql").glob("[0-9][0-9][0-9]_*.sql"))


@pytest.fixture
def empty(postgres: Postgres) -> Database:
    return postgres.new_database("template1")


@pytest.fixture
def folder_of_sql(tmp_path: Path) -> Path:
    """A copy to change."""
    place = tmp_path / "sql"
    place.mkdir()
    for file in [*FILES, ROOT / "sql" / "migrate"]:
        shutil.copy(file, place)
    return place


def migrate(database: Database, folder: Path = ROOT / "sql") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [folder / "migrate", database.conninfo("upbeat")],
        capture_output=True,
        text=True,
        timeout=60,
    )


def versions(database: Database) -> list[int]:
    return [row[0] for row in database.rows("select version from schema_migrations order by 1")]


def test_it_applies_each_file_and_names_it(empty: Database) -> None:
    ended = migrate(empty)
    assert ended.returncode == 0, ended.stderr
    assert [line.split()[-1] for line in ended.stdout.splitlines()] == [f.name for f in FILES]
    assert versions(empty) == list(range(1, len(FILES) + 1))


def test_twice_is_harmless(empty: Database) -> None:
    migrate(empty)
    before = empty.rows("select * from schema_migrations")
    again = migrate(empty)
    assert (again.returncode, again.stdout) == (0, "")
    assert empty.rows("select * from schema_migrations") == before


def test_four_at_once_are_harmless(empty: Database) -> None:
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: migrate(empty), range(4)))
    assert [one.returncode for one in ended] == [0] * 4, [one.stderr for one in ended]
    assert sum(len(one.stdout.splitlines()) for one in ended) == len(FILES)


def test_a_file_changed_after_it_was_applied_is_refused(
    empty: Database, folder_of_sql: Path
) -> None:
    migrate(empty, folder_of_sql)
    changed = folder_of_sql / FILES[1].name
    changed.write_text(changed.read_text() + "\n-- changed\n")
    (folder_of_sql / "900_later.sql").write_text("create table later (n integer);")
    ended = migrate(empty, folder_of_sql)
    assert ended.returncode != 0 and FILES[1].name in ended.stderr
    assert 900 not in versions(empty)


def test_a_file_that_fails_leaves_nothing_behind(empty: Database, folder_of_sql: Path) -> None:
    broken = folder_of_sql / "900_broken.sql"
    broken.write_text("create table half (n integer);\nselect 1 / 0;\n")
    assert migrate(empty, folder_of_sql).returncode != 0
    assert empty.value("select to_regclass('half')") is None and 900 not in versions(empty)
    broken.write_text("create table whole (n integer);\n")
    assert migrate(empty, folder_of_sql).returncode == 0
    assert 900 in versions(empty)


def test_it_gives_up_where_somebody_else_holds_the_tables(
    empty: Database, folder_of_sql: Path
) -> None:
    migrate(empty, folder_of_sql)
    (folder_of_sql / "900_alter.sql").write_text("alter table hosts add column n integer;")
    with psycopg.connect(empty.conninfo("upbeat")) as holder:
        holder.execute("select * from hosts")
        ended = subprocess.run(
            [folder_of_sql / "migrate", empty.conninfo("upbeat")],
            env={"PATH": "/usr/bin:/bin", "UPBEAT_MIGRATE_LOCK_TIMEOUT_MS": "200"},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert ended.returncode != 0 and "lock timeout" in ended.stderr
    assert 900 not in versions(empty)


def test_the_programs_role_has_no_right_to_change_the_schema(database: Database) -> None:
    with psycopg.connect(database.conninfo(), autocommit=True) as app:
        for statement in (
            "create table mine (n integer)",
            "drop table hosts",
            "alter table hosts add column n integer",
            "truncate snapshots",
            "delete from snapshots",
            "delete from hosts",
            "update schema_migrations set checksum = ''",
            "create schema mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)


def test_every_table_column_and_view_has_a_comment(database: Database) -> None:
    bare = database.rows(
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')"
        " and not c.relispartition and not a.attisdropped and a.attnum >= 0"
        " and col_description(c.oid, a.attnum) is null"
        " union all select c.relname, '' from pg_class c"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')"
        " and not c.relispartition and obj_description(c.oid, 'pg_class') is null"
    )
    assert bare == []
