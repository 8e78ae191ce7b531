"""How long a transaction may take, where a minute is not enough."""

from __future__ import annotations


def extension(seconds: float) -> str:
    """Give the statements that let a transaction go on for `seconds` from now.

    Postgres does not move a limit that runs already: it is taken away first, and then set anew.
    """
    return f"SET LOCAL transaction_timeout = 0; SET LOCAL transaction_timeout = {round(seconds * 1000):d}"
