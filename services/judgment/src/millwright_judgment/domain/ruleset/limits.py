"""How large a ruleset and its inputs may be."""

from __future__ import annotations

DOCUMENT_BYTES = 1024 * 1024
DOCUMENT_DEPTH = 32
TABLES = 16
ROWS = 5_000
"""In all tables together."""
COLUMNS = 64
"""Of one table, inputs and outputs each."""
FIELDS = 256
LEVELS = 16
ACTIONS = 256
EXAMPLES = 1_000
CELL_CHARACTERS = 1_000
CELL_VALUES = 1_000
"""In all lists of one cell together."""
TEXT_BYTES = 4_096
"""Of one text in an input."""
ENUM_VALUES = 1_000
STEPS = 10**15
"""How many steps of its resolution a number may be away from zero: doubles hold them all apart, with room to spare."""
DECIMALS = 15
"""Of a number in a document."""
