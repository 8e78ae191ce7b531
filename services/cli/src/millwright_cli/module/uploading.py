"""Sending a package: from where the service has it, across broken connections, until it is there whole."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path

import grpc
from millwright.modules.v1 import module_service_pb2 as pb

from millwright_cli import errors
from millwright_cli.connection import Connection
from millwright_cli.errors import ExitCode, Failure
from millwright_cli.module.modules import Stub
from millwright_cli.module.words import Term
from millwright_cli.session import Session
from millwright_cli.watching import Patience
from millwright_cli.words import Word

_PIECE_BYTES = 256 << 10
_LONGEST_NAME = 255
_PATIENCE = Patience()
_BREAKS = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_MOVED = "OFFSET_MISMATCH"
"""Somebody else who sends the same has begun anew: the service says from where to go on."""

Told = Callable[[int, int], None]
"""Hears how many bytes of how many are sent."""


def upload(session: Session, connection: Connection, stub: Stub, path: Path, told: Told) -> pb.Upload:
    """Send a package as far as the service does not have it, and give the upload, which is whole.

    The file must not change meanwhile. Raises Failure where it cannot be read, grpc.RpcError as the service refuses,
    or when nothing arrived for as long as a watch would wait.
    """
    try:
        with path.open("rb") as file:
            return _Upload(session, connection, stub, file, told).run(path.name)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise errors.usage("UNREADABLE", session.say(Word.UNREADABLE, path=path, cause=cause)) from error


class _Upload:
    def __init__(self, session: Session, connection: Connection, stub: Stub, file: BufferedReader, told: Told) -> None:
        self._session = session
        self._connection = connection
        self._stub = stub
        self._file = file
        self._told = told

    def run(self, file_name: str) -> pb.Upload:
        """Announce the package, and send it."""
        digest = hashlib.file_digest(self._file, "sha256").digest()
        total = self._file.seek(0, os.SEEK_END)
        request = pb.CreateUploadRequest(digest=digest, total_bytes=total, file_name=file_name[-_LONGEST_NAME:])
        known = self._connection.call(self._stub.CreateUpload, request).upload
        waited = 0.0
        while not known.complete:
            before = known.received_bytes
            known, broken = self._attempt(known)
            if known.received_bytes > before:
                waited = 0.0
            elif not known.complete:
                if waited >= _PATIENCE.afterwards:
                    raise broken or Failure("UNAVAILABLE", "", self._session.say(Term.STUCK), ExitCode.UNAVAILABLE)
                length = min(max(waited, _PATIENCE.shortest_pause), _PATIENCE.longest_pause)
                time.sleep(length)
                waited += length
        self._told(total, total)
        return known

    def _attempt(self, known: pb.Upload) -> tuple[pb.Upload, grpc.RpcError | None]:
        """Send what is missing; give how far the upload is then, and how the stream broke if it did."""
        try:
            return self._connection.send(self._stub.UploadPackage, self._pieces(known)).upload, None
        except grpc.RpcError as error:
            if not _goes_on(error):
                raise
            self._session.screen.notice(self._session.say(Term.UPLOAD_BROKE))
            return self._connection.call(self._stub.GetUpload, pb.GetUploadRequest(name=known.name)).upload, error

    def _pieces(self, known: pb.Upload) -> Iterator[pb.UploadPackageRequest]:
        """Give what is missing, piece by piece; if nothing is, one empty piece, so that the digest is checked."""
        offset = known.received_bytes
        self._file.seek(offset)
        while (piece := self._file.read(_PIECE_BYTES)) or offset == known.received_bytes:
            yield pb.UploadPackageRequest(upload=known.name, offset=offset, data=piece)
            offset += len(piece)
            self._told(offset, known.total_bytes)
            if not piece:
                return


def _goes_on(error: grpc.RpcError) -> bool:
    """Tell whether what is missing may be sent in another stream."""
    return isinstance(error, grpc.Call) and (error.code() in _BREAKS or errors.refused(error).reason == _MOVED)
