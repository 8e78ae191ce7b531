"""The catalogue's `query-production`: what its arguments are to the etl service, and the facts it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millwright_runtime.json import Json, JsonObject

from millwright_workflow.domain.interpreter import errors

MOST_ROWS = 500
_TOO_LARGE = 413


def request(_: str, arguments: JsonObject, __: str) -> JsonObject:
    """Give the ListProductionRequest, for as many rows as a page can have."""
    given: Any = arguments
    chosen = {name: given[name] for name in ("lines", "products", "shifts") if name in given}
    return {
        "filter": {"fromDate": given["from"], "toDate": given["to"], **chosen},
        "groupBy": [f"DIMENSION_{name.upper()}" for name in given["groupBy"]],
        "measures": [f"MEASURE_{name.upper()}" for name in given["measures"]],
        "pageSize": MOST_ROWS,
    }


def output(pointer: str, arguments: JsonObject, answer: JsonObject) -> Json:
    """Give an object a row, with its dimensions and measures by their names; throw a fault if there are more rows."""
    given, found = _names(arguments), _rows(answer)
    if answer["nextPageToken"]:
        detail = f"The function 'query-production' gives {MOST_ROWS} rows at most: group by less, or name lines."
        raise errors.communication(pointer, detail, _TOO_LARGE)
    return [dict(zip(given, values, strict=True)) for values in found]


def _names(arguments: Any) -> Sequence[str]:
    return [*arguments["groupBy"], *arguments["measures"]]


def _rows(answer: Any) -> Sequence[Sequence[Json]]:
    return [[*row["keys"], *(value.get("value") for value in row["values"])] for row in answer["rows"]]
