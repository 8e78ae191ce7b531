"""Lists longer than a page."""

from collections.abc import Callable, Sized
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from millwright_cli.connection import Connection

if TYPE_CHECKING:
    import grpc

_LARGEST_PAGE = 500


class _Asked(Protocol):
    page_size: int
    page_token: str


class _Page(Protocol):
    next_page_token: str

    def MergeFrom(self, other_msg: Self) -> None: ...  # noqa: N802  protobuf's name


Asked = TypeVar("Asked", bound=_Asked)
Page = TypeVar("Page", bound=_Page)


def collect(
    connection: Connection,
    method: "grpc.UnaryUnaryMultiCallable[Asked, Page]",
    request: Asked,
    rows: Callable[[Page], Sized],
    limit: int,
) -> Page:
    """Fetch pages until `limit` rows are there or none is left; which page is wanted is put into `request`.

    The pages come back as one; its next_page_token is empty only if nothing was left out.
    """
    request.page_size = min(limit, _LARGEST_PAGE)
    found = connection.call(method, request)
    while found.next_page_token and (missing := limit - len(rows(found))) > 0:
        request.page_size, request.page_token = min(missing, _LARGEST_PAGE), found.next_page_token
        page = connection.call(method, request)
        found.MergeFrom(page)
        found.next_page_token = page.next_page_token
    return found
