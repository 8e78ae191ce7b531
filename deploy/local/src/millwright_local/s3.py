"""A real S3 server on loopback: Versity's gateway over a directory, built by `make s3` at the version pinned here."""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from millwright_local.ports import LOOPBACK, greets
from millwright_local.servers import PortServer

_VERSION = "1.8.0"
_MODULE = f"github.com/versity/versitygw/cmd/versitygw@v{_VERSION}"
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class S3(PortServer):
    """One S3 server; its buckets are directories."""

    name = "s3"
    region = "us-east-1"
    access_key = "millwright"
    secret_key = "a-secret-of-the-test-run"  # noqa: S105 - of a server that this machine alone reaches

    @property
    def url(self) -> str:
        """The endpoint that S3 clients take."""
        return f"http://{self.address}"

    def bucket(self, name: str) -> str:
        """Make a bucket; give its name."""
        (self.directory / "buckets" / name).mkdir(parents=True, exist_ok=True)
        return name

    async def _prepare(self) -> None:
        await super()._prepare()
        for name in ("buckets", "properties"):
            (self.directory / name).mkdir(exist_ok=True)

    def _command(self) -> Sequence[str]:
        binary = cached_binary()
        properties = ["--sidecar", str(self.directory / "properties")]
        return [str(binary), "--port", f"{LOOPBACK}:{self.port}", "posix", *properties, str(self.directory / "buckets")]

    def _environment(self) -> Mapping[str, str]:
        return {"ROOT_ACCESS_KEY": self.access_key, "ROOT_SECRET_KEY": self.secret_key}

    async def _answers(self) -> bool:
        return await greets(self.port, send=_REQUEST, expect=b"HTTP/1.1")


def cached_binary() -> Path:
    """Give where the server's binary is in this user's cache, or would be."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "millwright" / f"versitygw-{_VERSION}-{platform.machine()}" / "versitygw"


if __name__ == "__main__":
    sys.stdout.write(f"{_MODULE if '--module' in sys.argv else cached_binary()}\n")
