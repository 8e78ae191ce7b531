"""Instants and spans as a person reads them: local, relative, and in units that fit."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from millwright_cli.words import Word, Words

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def instant(timestamp: Timestamp) -> datetime:
    """Convert to an instant in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def moment(timestamp: Timestamp, say: Words, *, now: datetime | None = None) -> str:
    """Say when: the local time, with the date unless it is today, and how long ago or ahead. Unset gives a dash."""
    if not timestamp.ByteSize():
        return "–"
    now = now or datetime.now(UTC)
    local, today = instant(timestamp).astimezone(), now.astimezone().date()
    clock = local.strftime("%H:%M:%S" if local.date() == today else "%Y-%m-%d %H:%M")
    return f"{clock} · {relative(instant(timestamp), say, now=now)}"


def clock(timestamp: Timestamp) -> str:
    """Say the local time of day, to the millisecond."""
    return instant(timestamp).astimezone().strftime("%H:%M:%S.%f")[:-3]


def relative(instant: datetime, say: Words, *, now: datetime) -> str:
    """Say how long ago or ahead an instant is, in its largest unit."""
    seconds = (now - instant).total_seconds()
    if abs(seconds) < 1:
        return say(Word.JUST_NOW)
    return say(Word.AGO if seconds > 0 else Word.AHEAD, span=_largest_unit(abs(seconds), say))


def span(seconds: float, say: Words) -> str:
    """Say how long something took: in ms below a second, in s to a tenth below a minute, then in two units."""
    if seconds < 1:
        return say(Word.MILLISECONDS, n=round(max(seconds, 0) * 1000))
    if seconds < _MINUTE:
        return say(Word.SECONDS, n=f"{seconds:.1f}")
    for unit, word, smaller, smaller_word in (
        (_DAY, Word.DAYS, _HOUR, Word.HOURS),
        (_HOUR, Word.HOURS, _MINUTE, Word.MINUTES),
        (_MINUTE, Word.MINUTES, 1, Word.SECONDS),
    ):
        if seconds >= unit:
            whole, rest = divmod(int(seconds), unit)
            return f"{say(word, n=whole)} {say(smaller_word, n=rest // smaller)}"
    raise AssertionError(seconds)


def _largest_unit(seconds: float, say: Words) -> str:
    for unit, word in ((_DAY, Word.DAYS), (_HOUR, Word.HOURS), (_MINUTE, Word.MINUTES)):
        if seconds >= unit:
            return say(word, n=int(seconds // unit))
    return say(Word.SECONDS, n=int(seconds))
