"""What the sources share: how many of a kind they ask for, and whose a line is."""

from rich.text import Text

from millwright_cli.drawing import short

NEWEST = 50
"""How many of a kind are asked for at once: what began since the last look, as a rule, and what is open before it."""
ALL = 500
"""As many workflows or rulesets as one page holds."""


def titled(line: Text, *names: str) -> Text:
    """Add to a line what it is about."""
    return Text.assemble(line, *((f"  {short(name)}", "bold") for name in names))
