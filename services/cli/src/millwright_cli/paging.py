"""Lists longer than a page."""

from collections.abc import Callable, Sized
from typing import Protocol, Self, TypeVar

_LARGEST_PAGE = 500


class _Page(Protocol):
    next_page_token: str

    def MergeFrom(self, other_msg: Self) -> None: ...  # noqa: N802  protobuf's name


Page = TypeVar("Page", bound=_Page)


def collect(fetch: Callable[[int, str], Page], rows: Callable[[Page], Sized], limit: int) -> Page:
    """Fetch pages by (page_size, page_token) until `limit` rows are there or none is left.

    The pages come back as one; its next_page_token is empty only if nothing was left out.
    """
    found = fetch(min(limit, _LARGEST_PAGE), "")
    while found.next_page_token and (missing := limit - len(rows(found))) > 0:
        page = fetch(min(missing, _LARGEST_PAGE), found.next_page_token)
        found.MergeFrom(page)
        found.next_page_token = page.next_page_token
    return found
