"""sql/migrate: numbered files, forward only, then functions, views and rights; harmless to repeat. And the way from
the last release."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from servers.postgres import PROGRAMS, Database, Postgres
from servers.processes import ROOT

pytestmark = pytest.mark.once

FILES = sorted((ROOT / "sql").glob("[0-9][0-9][0-9]_*.sql"))
SAID = [f"sql/migrate: {file.name}" for file in FILES] + [
    "sql/migrate: functions, comments, views and rights"
]
OLD_RELEASE = "22836d0"


@pytest.fixture
def empty(postgres: Postgres) -> Database:
    return postgres.new_database("template1")


@pytest.fixture
def folder_of_sql(tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(ROOT / "sql", tmp_path / "sql"))


@pytest.fixture
def old_sql(postgres: Postgres, tmp_path: Path) -> Path:
    """sql/ of the release before the tables were squashed into 010."""
    archive = subprocess.run(
        ["git", "-C", ROOT, "archive", OLD_RELEASE, "sql"], capture_output=True, check=False
    )
    if archive.returncode != 0:
        pytest.skip(f"the history of this checkout does not go back to {OLD_RELEASE}")
    if not postgres.value("select 1 from pg_roles where rolname = 'upbeat_app'"):
        postgres.execute("create role upbeat_app")
    place = tmp_path / "old"
    place.mkdir()
    subprocess.run(["tar", "-x", "-C", place], input=archive.stdout, check=True)
    return place / "sql"


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
    assert ended.stdout.splitlines() == SAID
    assert versions(empty) == [int(file.name[:3]) for file in FILES]


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
    assert sum(len(one.stdout.splitlines()) for one in ended) == len(SAID)


def test_a_file_changed_after_it_was_applied_is_refused(
    empty: Database, folder_of_sql: Path
) -> None:
    migrate(empty, folder_of_sql)
    changed = folder_of_sql / FILES[0].name
    changed.write_text(changed.read_text() + "\n-- changed\n")
    (folder_of_sql / "900_later.sql").write_text("create table later (n integer);")
    ended = migrate(empty, folder_of_sql)
    assert ended.returncode != 0 and FILES[0].name in ended.stderr
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


def test_functions_and_views_are_made_anew_where_one_has_changed(
    empty: Database, folder_of_sql: Path
) -> None:
    migrate(empty, folder_of_sql)
    function = folder_of_sql / "functions" / "utc_text.sql"
    function.write_text(
        "create or replace function utc_text(p_at timestamptz, p_more text default '!') returns varchar"
        " language sql as $$ select p_at::text || p_more $$;"
    )
    view = folder_of_sql / "views" / "headlines.sql"
    view.write_text("create view headlines as select utc_text(now())::text as alone;")
    ended = migrate(empty, folder_of_sql)
    assert (ended.returncode, ended.stdout.splitlines()) == (0, SAID[-1:]), ended.stderr
    assert empty.value("select alone from headlines").endswith("!")
    assert empty.value("select count(*) from pg_proc where proname = 'utc_text'") == 1
    worker = "select has_function_privilege('upbeat_worker', 'utc_text(timestamptz, text)', 'execute')"
    assert empty.value(worker) is True
    assert migrate(empty, folder_of_sql).stdout == ""


# --- From the last release ---------------------------------------------------------------------------------

OLD_DATA = """
insert into hosts (host, poll_every, time_zone) values
    ('a.example', '5 s', 'Europe/Berlin'), ('b.example', null, 'UTC');
insert into apikeys (digest, sealed) values (sha256('one'), 'sealed one');
insert into key_checks (host, digest, accepted, checked_at, refusals, refused_until) values
    ('a.example', sha256('one'), true, '2026-01-01 00:00Z', 0, null),
    ('b.example', sha256('bad'), false, '2026-01-01 00:00Z', 2, '2026-01-01 00:02Z');
insert into refills (host, known, failures, last_error, requests, refused_rows, tat, check_tat) values
    ('a.example', true, 2, 'status 503', 7, 3, '2026-01-01 00:00Z', '2026-01-01 00:01Z'),
    ('b.example', false, 0, null, 1, 0, null, null);
insert into pages (host, path, title, sections) values ('a.example', '/', 'Front', '{news}'),
    ('a.example', '/b', 'B', '{}');
insert into titles select page_id, '2026-01-01 00:00Z', title from pages;
insert into snapshots (host, taken_at, row_limit, page_ids, visitors)
    select 'a.example', t, 100, array_agg(page_id order by path), pack_counts('{300,2}')
    from pages, unnest(array[now(), '2026-01-01 00:00Z']) t group by t;
insert into cache (host, taken_at, pages, previous_at, previous_pages) select 'a.example', max(taken_at), 'now',
    min(taken_at), 'then' from snapshots;
select roll_minutes('a.example', '2026-01-01 00:00Z'), roll_quarter('a.example', '2026-01-01 00:00Z'),
    note_months('a.example', '2026-01-01 00:00Z');
"""
RENAMED = {
    "refills": ("refreshes", {"known": "is_accepted", "tat": "budget_tat", "check_tat": "bad_key_tat"}),
    "key_checks": ("key_checks", {"accepted": "state <> 'refused'"}),
}
CARRIED = ["hosts", "apikeys", "key_checks", "refills", "pages", "titles", "page_months", "cache"] + [
    "snapshots", "minutes", "quarters", "history_progress",
]  # fmt: skip


def schema(database: Database) -> list[str]:
    """As pg_dump has it, without the partitions of some days, which are made later in a new database."""
    command = ["pg_dump", "--schema-only", "--no-comments", "--exclude-table=*_2???????"]
    dump = subprocess.run(
        [*command, "-d", database.conninfo("postgres")], capture_output=True, text=True, check=True
    )
    return [line for line in dump.stdout.splitlines() if "restrict" not in line]


def test_an_old_installation_keeps_its_data_and_ends_in_the_schema_of_a_new_one(
    postgres: Postgres, empty: Database, old_sql: Path
) -> None:
    assert migrate(empty, old_sql).returncode == 0
    with psycopg.connect(empty.conninfo("upbeat"), autocommit=True) as owner:
        owner.execute(OLD_DATA)
    names = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum"
    columns = {table: [name for name, in empty.rows(names, table)] for table in CARRIED}
    before = {t: empty.rows(f"select {', '.join(columns[t])} from {t} order by 1, 2") for t in CARRIED}

    ended = migrate(empty)
    assert (ended.returncode, ended.stdout.splitlines()) == (0, SAID), ended.stderr
    for table in CARRIED:
        name, renamed = RENAMED.get(table, (table, {}))
        new = ", ".join(renamed.get(column, column) for column in columns[table])
        assert empty.rows(f"select {new} from {name} order by 1, 2") == before[table], table
    assert empty.rows("select host from due_hosts(10)") == [("a.example",)]
    assert len(empty.rows("select * from snapshot_pages")) == 4

    fresh = postgres.new_database("template1")
    migrate(fresh)
    assert schema(empty) == schema(fresh)
    assert migrate(empty).stdout == ""


def test_an_older_installation_is_refused_with_a_reason(empty: Database, old_sql: Path) -> None:
    (old_sql / "009_faster_packing.sql").unlink()
    assert migrate(empty, old_sql).returncode == 0
    ended = migrate(empty)
    assert ended.returncode != 0 and "not at version 009" in ended.stderr
    assert empty.value("select to_regclass('refreshes')") is None


# --- Rights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", PROGRAMS)
def test_a_programs_role_has_no_right_to_change_the_schema(database: Database, role: str) -> None:
    with psycopg.connect(database.conninfo(role), autocommit=True) as app:
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


def test_a_program_can_ask_whether_the_schema_is_the_newest(postgres: Postgres, folder_of_sql: Path) -> None:
    database = postgres.new_database()

    def ask(folder: Path) -> int:
        command = [folder / "migrate", "--check", database.conninfo("upbeat_worker")]
        return subprocess.run(command, capture_output=True, timeout=20).returncode

    assert ask(ROOT / "sql") == 0 == ask(folder_of_sql)
    (folder_of_sql / "functions" / "bound.sql").open("a").write("\n")
    assert ask(folder_of_sql) == 1
    shutil.copy(ROOT / "sql" / "functions" / "bound.sql", folder_of_sql / "functions")
    (folder_of_sql / "900_next.sql").write_text("select 1;\n")
    assert ask(folder_of_sql) == 1
    assert ask(ROOT / "sql") == 0
    assert subprocess.run([ROOT / "sql" / "migrate", "--check", "host=/nowhere"], capture_output=True).returncode != 0


@pytest.mark.parametrize(
    "conninfo, dbname, password",
    [
        ("dbname=x user=u", "dbname=x user=u", ""),
        ("dbname=x password=secret user=u", "dbname=x  user=u", "secret"),
        (r"password = 'a \' \\b' dbname=x", " dbname=x", r"a ' \b"),
        (r"user=u password=a\ b\\", "user=u ", "a b\\"),
        ("postgresql://u:p%40s\\s%25@h/x", "postgresql://u@h/x", "p@s\\s%"),
        ("postgres://u@h/x?sslmode=require&password=a%26b&port=1", "postgres://u@h/x?sslmode=require&port=1", "a&b"),
        ("postgresql://h:5432/x", "postgresql://h:5432/x", ""),
        ("postgresql://h:5432/x?user=a@b", "postgresql://h:5432/x?user=a@b", ""),
    ],
)
def test_no_argument_of_psql_holds_the_password(tmp_path: Path, conninfo: str, dbname: str, password: str) -> None:
    """From the environment, as upbeat-migrate calls it, and from the argument."""
    psql = tmp_path / "psql"
    psql.write_text(f'#!/bin/sh\ncat >/dev/null\nprintf "%s\\n" "$PGPASSWORD" "$@" >>{tmp_path}/said\n')
    psql.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    command = [str(ROOT / "sql" / "migrate")]
    subprocess.run(command, env=environment | {"UPBEAT_DATABASE_OWNER": conninfo}, check=True, timeout=20)
    subprocess.run([*command, conninfo], env=environment, check=True, timeout=20)
    said = [password, "-X", "-q", "-v", "VERBOSITY=terse", f"--dbname={dbname}"]
    assert (tmp_path / "said").read_text().splitlines() == said * 2
