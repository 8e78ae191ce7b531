"""Amounts as a person reads them."""

_UNITS = ("B", "KiB", "MiB", "GiB")
_STEP = 1024


def size(count: float) -> str:
    """Write a number of bytes in a unit that fits."""
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count /= _STEP
        unit += 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"
