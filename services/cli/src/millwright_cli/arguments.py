"""What a caller types, read into what a request holds: names, spans of time, JSON, files.

A mistake found here is a usage error: nothing has been sent.
"""

import json
import math
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from millwright_cli import errors
from millwright_cli.words import Word, Words

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LARGEST_EXACT = 2**53


def named(collection: str, text: str) -> str:
    """Read what a person calls a resource, with or without its collection, as a resource name."""
    name = text.removeprefix(f"{collection}/")
    if not name or "/" in name:
        raise typer.BadParameter(f"{text!r} names nothing in {collection}/")
    return f"{collection}/{name}"


def duration(text: str) -> timedelta:
    """Read a span such as `90s`, `1h` or `1h30m`; a bare number counts seconds."""
    if text.isdecimal():
        return timedelta(seconds=int(text))
    if not re.fullmatch(r"(\d+[smhd])+", text):
        raise typer.BadParameter(f"{text!r} is no span of time such as 90s, 1h or 1h30m")
    return timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([smhd])", text)))


def percent_bp(text: str) -> int:
    """Read a percentage such as `10%` or `0.5%` in hundredths of a percent."""
    match = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,2}))?\s*%", text)
    if not match:
        raise typer.BadParameter(f"{text!r} is no percentage such as 10% or 0.25%")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def since(text: str) -> datetime:
    """Read an instant: how long ago, such as `2h`, or ISO 8601, in local time if it names no zone."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC) - duration(text)


def ahead(text: str) -> datetime:
    """Read an instant: from now, such as `2h`, or ISO 8601, in local time if it names no zone."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.now(UTC) + duration(text)


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Give an instant as a request holds it; none is left unset."""
    if instant is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


OptionalReason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most this many.")]
Watch = Annotated[bool, typer.Option("--watch", help="Go on and print what happens as it happens.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and say what would happen; change nothing.")]

VersionNumber = Annotated[
    int, typer.Argument(metavar="VERSION", min=1, help="The version's number.", show_default=False)
]
ChannelId = Annotated[str, typer.Option("--channel", metavar="CHANNEL", help="The channel to move.")]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the release log.", show_default=False)
]
ExpectedRevision = Annotated[
    int | None,
    typer.Option(
        "--expected-revision",
        metavar="N",
        min=0,
        help="Move the channel only if its revision is this.",
        show_default=False,
    ),
]

RollbackTarget = Annotated[
    int | None,
    typer.Option("--to", metavar="N", min=1, help="The version to go back to.", show_default="the last good one"),
]
RollbackSource = Annotated[
    int | None,
    typer.Option(
        "--from", metavar="N", min=1, help="Only if this is the version left.", show_default="whichever it is"
    ),
]
KeepSourceGood = Annotated[bool, typer.Option("--keep-source-good", help="Do not mark the version left as bad.")]
AllowBadTarget = Annotated[
    bool, typer.Option("--allow-bad-target", help="Go back even to a version marked bad; it becomes good.")
]
Freeze = Annotated[
    timedelta | None,
    typer.Option(
        "--freeze",
        parser=duration,
        metavar="SPAN",
        help="How long to refuse automatic promotions.",
        show_default="1h",
    ),
]


def file_text(path: str, say: Words) -> str:
    """Read a text file in UTF-8, or standard input for `-`."""
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        return data.decode()
    except OSError as error:
        cause = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        cause = "UTF-8?"
    raise errors.usage("UNREADABLE", say(Word.UNREADABLE, path=path, cause=cause))


def json_value(text: str, say: Words) -> Value:
    """Read JSON given as it is, as `@file`, or as `-` for standard input.

    A number that a protobuf Value cannot hold exactly is refused: an order number must not arrive as its neighbour.
    """
    if text == "-" or text.startswith("@"):
        text = file_text(text.removeprefix("@"), say)

    def whole(digits: str) -> int:
        number = int(digits) if len(digits) <= 400 else _LARGEST_EXACT + 1
        if abs(number) > _LARGEST_EXACT:
            shown = digits if len(digits) <= 40 else f"{digits[:40]}…"
            raise errors.usage("INEXACT_NUMBER", say(Word.INEXACT, number=shown))
        return number

    try:
        plain = json.loads(text, parse_int=whole, parse_float=_finite, parse_constant=_no_constant)
        return json_format.ParseDict(plain, Value())
    except json.JSONDecodeError as error:
        cause = {"cause": error.msg, "line": error.lineno, "column": error.colno}
        raise errors.usage("BAD_JSON", say(Word.BAD_JSON, **cause)) from error
    except (json_format.ParseError, ValueError) as error:
        raise errors.usage("BAD_VALUE", say(Word.BAD_VALUE, cause=error)) from error
    except RecursionError as error:
        raise errors.usage("BAD_VALUE", say(Word.BAD_VALUE, cause="nested too deeply")) from error


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is too large")
    return number


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
