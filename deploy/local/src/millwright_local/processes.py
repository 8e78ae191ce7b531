"""A child process: start, wait until it is ready, stop, kill, freeze and thaw.

Signals go to our own child (and to its descendants), by pid, never by name.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from millwright_local.accounts import Account
from millwright_local.errors import NotReadyError, ProcessEndedError
from millwright_local.leash import leash

POLL_SECONDS = 0.01
KILL_SECONDS = 10.0
TAIL_LINES = 20


async def until(
    condition: Callable[[], Awaitable[bool]], seconds: float | None, *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Wait until the condition holds, asking again and again. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what is waited for lies in another process
            await asyncio.sleep(poll_seconds)


class Process:
    """One child process, in a session of its own, whose output goes to a log file.

    It does not outlive this process, even if this process is killed (Linux): it is then sent `death_signal`.
    A terminal's Ctrl-C does not reach it. Can be started again after it ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        account: Account | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.log = log
        self._environment = {**os.environ, **(environment or {})}
        uid, gid = (account.uid, account.gid) if account else (None, None)
        self._command = leash(command, death_signal=death_signal, uid=uid, gid=gid)
        self._child: subprocess.Popen[bytes] | None = None
        self._is_to_end = False
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the child that was started last."""
        assert self._child is not None, f"{self.name} was never started"
        return self._child.pid

    @property
    def is_running(self) -> bool:
        """True from start() until the child ended, also while it is frozen."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs or before it was started."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the child and return at once. It must not be running."""
        assert not self.is_running, f"{self.name} is running already"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._is_to_end = False
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Wait until the child is ready. Raises ProcessEndedError if it ends instead, NotReadyError if it is late."""

        async def is_ready_or_ended() -> bool:
            return not self.is_running or await is_ready()

        try:
            await until(is_ready_or_ended, seconds)
        except TimeoutError:
            raise NotReadyError(self.name, seconds, self.log, self.last_lines()) from None
        if not self.is_running:
            raise self.ended()

    async def wait(self, seconds: float) -> int:
        """Wait until the child ends and return its exit code. Raises NotReadyError if it does not end in time."""

        async def has_ended() -> bool:
            return not self.is_running

        try:
            await until(has_ended, seconds)
        except TimeoutError:
            raise NotReadyError(self.name, seconds, self.log, self.last_lines()) from None
        return self.exit_code or 0

    async def run(self, seconds: float) -> None:
        """Run the child to its end, and leave none behind.

        Raises ProcessEndedError unless it ends with exit code 0, NotReadyError if it takes longer than `seconds`.
        """
        self.start()
        try:
            if await self.wait(seconds) != 0:
                raise self.ended()
        finally:
            await self.kill()

    def terminate(self) -> None:
        """Ask the child to end (SIGTERM), and do not wait for it."""
        self._is_to_end = True
        os.kill(self.pid, signal.SIGTERM)

    @property
    def has_ended_by_itself(self) -> bool:
        """Whether the child has ended although nobody here asked it to."""
        return self._child is not None and not self.is_running and not self._is_to_end

    async def stop(self, seconds: float, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask the child to end, and kill it after `seconds`. Does nothing if it does not run."""
        if not self.is_running:
            return
        self._is_to_end = True
        os.kill(self.pid, by)
        self.thaw()  # a frozen process would never take the signal
        try:
            await self.wait(seconds)
        except NotReadyError:
            await self.kill()

    async def kill(self) -> None:
        """Kill the child and its descendants with SIGKILL, as a power cut would, and wait until all are gone."""
        if not self.is_running:
            return
        self._is_to_end = True
        os.kill(self.pid, signal.SIGSTOP)  # so that it makes no further descendants
        family = self._family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()

        async def are_gone() -> bool:
            return not self.is_running and not any(is_alive(member) for member in family)

        await until(are_gone, KILL_SECONDS)

    def freeze(self) -> None:
        """Stop the child and its descendants where they are (SIGSTOP): alive for the system, dead for its callers."""
        for member in self._family():
            with suppress(psutil.NoSuchProcess):
                member.suspend()

    def thaw(self) -> None:
        """Let a frozen child go on (SIGCONT)."""
        for member in self._family():
            with suppress(psutil.NoSuchProcess):
                member.resume()

    def ended(self) -> ProcessEndedError:
        """Return the error that says how the child ended, with the end of its log."""
        return ProcessEndedError(self.name, self.exit_code or 0, self.log, self.last_lines())

    def last_lines(self) -> str:
        """Return the last lines that the child wrote since it was started."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(self._log_start)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-TAIL_LINES:])
        return ""

    def _family(self) -> list[psutil.Process]:
        try:
            child = psutil.Process(self.pid)
            return [child, *child.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def is_alive(process: psutil.Process) -> bool:
    """Tell whether a process runs. An orphan whose new parent never reaps it stays a zombie: dead enough."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
