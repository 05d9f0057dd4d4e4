"""PgBouncer in transaction mode, with two connections."""

import subprocess
from pathlib import Path

from .postgres import PROGRAMS, Postgres
from .processes import as_user, await_true, program


class PgBouncer:
    """`place`: a folder of its own, which anybody can write to."""

    def __init__(self, place: Path, postgres: Postgres, database: str) -> None:
        place.chmod(0o777)
        (place / "users").write_text("".join(f'"{role}" ""\n' for role in PROGRAMS))
        (place / "ini").write_text(
            f"[databases]\n{database} = host={postgres.folder} port=5432\n[pgbouncer]\n"
            f"listen_addr =\nunix_socket_dir = {place}\nlisten_port = 6432\nauth_type = trust\n"
            f"auth_file = {place}/users\npool_mode = transaction\ndefault_pool_size = 2\n"
            "ignore_startup_parameters = extra_float_digits\nlogfile =\n"
        )
        self.conninfo = f"host={place} port=6432 dbname={database}"
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "PgBouncer":
        command = [*as_user("postgres"), str(program("pgbouncer")), "-q", str(self._place / "ini")]
        with open(self._place / "log", "ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        await_true(lambda: (self._place / ".s.PGSQL.6432").exists(), 10, "PgBouncer")
        return self

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None
        (self._place / ".s.PGSQL.6432").unlink(missing_ok=True)
