"""What the client of the modules service sends of a package."""

import pytest
from millwright.modules.v1.module_service_pb2 import Upload
from millwright_local.modules_client import PIECE_BYTES, pieces

PACKAGE = bytes(range(256)) * (PIECE_BYTES * 2 // 256) + b"the end"


@pytest.mark.parametrize("received", [0, 1, PIECE_BYTES, len(PACKAGE) - 1])
async def test_the_pieces_are_what_is_missing(received):
    sent = [piece async for piece in pieces(Upload(name="uploads/1", received_bytes=received), PACKAGE)]
    assert {piece.upload for piece in sent} == {"uploads/1"}
    assert b"".join(piece.data for piece in sent) == PACKAGE[received:]
    assert [PACKAGE[piece.offset :].startswith(piece.data) for piece in sent] == [True] * len(sent)


async def test_where_nothing_is_missing_but_the_check_an_empty_piece_asks_for_it():
    (piece,) = [piece async for piece in pieces(Upload(name="uploads/1", received_bytes=len(PACKAGE)), PACKAGE)]
    assert (piece.upload, piece.offset, piece.data) == ("uploads/1", len(PACKAGE), b"")
