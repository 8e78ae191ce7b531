"""The tools. grpcurl is the machine's, or else built by Go, which checks what it fetches, into this user's cache."""

from __future__ import annotations

import base64
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import ClassVar

OURS = "millwright."
SECONDS = 20
BUILD_SECONDS = 240
_VERSION = "1.9.3"
_MODULE = f"github.com/fullstorydev/grpcurl/cmd/grpcurl@v{_VERSION}"


class ToolMissingError(Exception):
    """The tool is not here and cannot be had."""


class Tool(ABC):
    """A command that knows of a process what reflection tells it."""

    name: ClassVar[str]

    def __init__(self, address: str, token: str) -> None:
        """Raises ToolMissingError."""
        self.address = address
        self.bearer = f"authorization: Bearer {token}"

    @abstractmethod
    def rpcs(self) -> set[str]:
        """Give `package.Service/Method` of every RPC of ours."""

    @abstractmethod
    def command(self, rpc: str, sent: str) -> list[str]:
        """Give the command that calls an RPC with messages in JSON."""

    @abstractmethod
    def details(self, output: str) -> str:
        """Give the details of an error as text, from what the tool printed."""


class Buf(Tool):
    """`buf curl`, which is among the tools of development."""

    name = "buf"
    COMMAND = (str(Path(sys.executable).with_name("buf")), "curl", "--protocol", "grpc", "--http2-prior-knowledge")

    def rpcs(self) -> set[str]:
        """Give `package.Service/Method` of every RPC of ours."""
        return _ours(run(*self.COMMAND, "--list-methods", f"http://{self.address}").stdout)

    def command(self, rpc: str, sent: str) -> list[str]:
        """Give the command that calls an RPC with messages in JSON."""
        return [*self.COMMAND, "-H", self.bearer, "-d", sent, f"http://{self.address}/{rpc}"]

    def details(self, output: str) -> str:
        """Give the details of an error: each is printed with its type and its bytes."""
        details = json.loads(output)["details"]
        assert details[0]["type"] == "google.rpc.ErrorInfo"
        return " ".join(str(base64.b64decode(detail["value"] + "==")) for detail in details)


class Grpcurl(Tool):
    """`grpcurl`."""

    name = "grpcurl"

    def __init__(self, address: str, token: str) -> None:
        """Raises ToolMissingError."""
        super().__init__(address, token)
        self._binary = _grpcurl()

    def rpcs(self) -> set[str]:
        """Give `package.Service/Method` of every RPC of ours."""
        services = run(self._binary, "-plaintext", self.address, "list").stdout.split()
        listed = (run(self._binary, "-plaintext", self.address, "list", service).stdout for service in services)
        return {"/".join(rpc.rsplit(".", 1)) for rpc in _ours("".join(listed))}

    def command(self, rpc: str, sent: str) -> list[str]:
        """Give the command that calls an RPC with messages in JSON."""
        return [self._binary, "-plaintext", "-H", self.bearer, "-d", sent, self.address, rpc]

    def details(self, output: str) -> str:
        """Give the details of an error, which are printed as JSON among words."""
        assert '"@type": "type.googleapis.com/google.rpc.ErrorInfo"' in output
        return output

    def description(self, service: str) -> str:
        """Give a service as it is written in a proto."""
        return run(self._binary, "-plaintext", self.address, "describe", service).stdout


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


def _ours(names: str) -> set[str]:
    return {name for name in names.split() if name.startswith(OURS)}


@cache
def _grpcurl() -> str:
    """Give the binary, built if need be. Raises ToolMissingError."""
    if found := shutil.which("grpcurl"):
        return found
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = caches / "millwright" / f"grpcurl-{_VERSION}-{platform.machine()}" / "grpcurl"
    if not binary.exists():
        _build(binary)
    return str(binary)


def _build(binary: Path) -> None:
    if shutil.which("go") is None:
        message = "grpcurl is not installed, nor is the Go toolchain, which builds it"
        raise ToolMissingError(message)
    binary.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=binary.parent) as built:
        try:
            subprocess.run(
                ["go", "install", _MODULE],
                env={**os.environ, "GOBIN": built},
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            message = f"grpcurl is not installed and cannot be built: {str(error.stderr)[-300:]}"
            raise ToolMissingError(message) from error
        (Path(built) / binary.name).replace(binary)
