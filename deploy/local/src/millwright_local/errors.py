"""What can go wrong on one machine, in words for the person who started it.

StackError
├── BinaryMissingError   a wheel is not installed, or not for this platform
├── DataInUseError       another Postgres works on the data
├── ForeignDataError     the data belongs to another user of the machine
├── NoFreePortError      no port is left
├── NotReadyError        a process runs but did not get where it should in time
├── PortTakenError       another process listens on a port that we need
├── ProcessEndedError    a process ended although it should run, or ended with an error
└── StackRunningError    another stack runs in the same directory
"""

from pathlib import Path


class StackError(Exception):
    """The stack cannot start or go on; the message says what to do about it."""


class BinaryMissingError(StackError):
    """A wheel is not installed, or does not carry the binary on this platform."""

    def __init__(self, distribution: str, binary: str) -> None:
        super().__init__(f"the package {distribution} is not installed or has no {binary} for this platform")


class DataInUseError(StackError):
    """Another Postgres still works on the data."""

    def __init__(self, pid: int, data: Path) -> None:
        super().__init__(f"another Postgres (pid {pid}) works on {data}: end it first")


class ForeignDataError(StackError):
    """The data belongs to another user of the machine."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data} belongs to another user: run as that user (or as root), or remove it")


class NoFreePortError(StackError):
    """No free port was found."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"no free loopback port after {attempts} attempts")


class NotReadyError(StackError):
    """A process runs but did not become ready, or did not end, in time."""

    def __init__(self, name: str, seconds: float, log: Path, last_lines: str) -> None:
        super().__init__(f"{name} did not get there within {seconds:g} s; the end of {log}:\n{last_lines}")


class PortTakenError(StackError):
    """Another process listens on a port that a server of the stack was told to use."""

    def __init__(self, port: int, server: str, setting: str | None = None) -> None:
        remedy = f", or choose another one with {setting}" if setting else ""
        super().__init__(f"port {port} of {server} is taken: end what listens there{remedy}")


class ProcessEndedError(StackError):
    """A process ended although it should run, or ended with an error."""

    def __init__(self, name: str, exit_code: int, log: Path, last_lines: str) -> None:
        super().__init__(f"{name} ended with exit code {exit_code}; the end of {log}:\n{last_lines}")
        self.name = name
        self.exit_code = exit_code


class StackRunningError(StackError):
    """Another stack runs in the same directory."""

    def __init__(self, home: Path, pid: str) -> None:
        super().__init__(f"another stack (pid {pid}) runs in {home}: stop it first, or use another directory")
