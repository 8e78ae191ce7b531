"""What can be wrong with a definition: the reasons, the faults, and the exception that carries them all.

Owns the list of reasons. Finds no fault itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a definition is refused; clients may rely on these words.

    | reason                  | the definition …                                                              |
    |-------------------------|-------------------------------------------------------------------------------|
    | DEFINITION_TOO_LARGE    | has over 1 MiB of text                                                        |
    | DEFINITION_TOO_DEEP     | has over 64 nested levels                                                     |
    | DEFINITION_TOO_BIG      | has over 20,000 nodes, or over 1 MiB of text, once its aliases are written out |
    | MALFORMED_YAML          | is no YAML or JSON document, or uses tags or several documents                |
    | DUPLICATE_KEY           | has a key twice in one object                                                 |
    | UNKNOWN_KEY             | has a key that the DSL does not know there                                    |
    | MISSING_KEY             | lacks a key that the DSL requires there                                       |
    | WRONG_TYPE              | has, say, a number where a string belongs                                     |
    | INVALID_VALUE           | has a value of the right type that means nothing there                        |
    | AMBIGUOUS_TASK          | has a task of no kind or of several, or several tasks in one list item        |
    | DUPLICATE_TASK_NAME     | has a name twice in one task list                                             |
    | UNKNOWN_FLOW_TARGET     | sends the flow to a task that is not in the same list                         |
    | FLOW_CYCLE              | has tasks that follow one another forever                                     |
    | UNKNOWN_REFERENCE       | refers to something that `use` does not define                                |
    | UNSUPPORTED_DSL_VERSION | is not written in version 1.0.x of the DSL                                    |
    | EXPRESSION_FORBIDDEN    | has an expression that reaches for the outside                                |
    | EXPRESSION_TOO_LONG     | has an expression of over 64 KiB                                              |
    | UNSUPPORTED_CONSTRUCT   | is valid, and uses what is not run here                                       |
    | CONSTRUCT_FORBIDDEN     | is valid, and runs a script, a shell command or a container                   |
    """

    DEFINITION_TOO_LARGE = "DEFINITION_TOO_LARGE"
    DEFINITION_TOO_DEEP = "DEFINITION_TOO_DEEP"
    DEFINITION_TOO_BIG = "DEFINITION_TOO_BIG"
    MALFORMED_YAML = "MALFORMED_YAML"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    UNKNOWN_KEY = "UNKNOWN_KEY"
    MISSING_KEY = "MISSING_KEY"
    WRONG_TYPE = "WRONG_TYPE"
    INVALID_VALUE = "INVALID_VALUE"
    AMBIGUOUS_TASK = "AMBIGUOUS_TASK"
    DUPLICATE_TASK_NAME = "DUPLICATE_TASK_NAME"
    UNKNOWN_FLOW_TARGET = "UNKNOWN_FLOW_TARGET"
    FLOW_CYCLE = "FLOW_CYCLE"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    UNSUPPORTED_DSL_VERSION = "UNSUPPORTED_DSL_VERSION"
    EXPRESSION_FORBIDDEN = "EXPRESSION_FORBIDDEN"
    EXPRESSION_TOO_LONG = "EXPRESSION_TOO_LONG"
    UNSUPPORTED_CONSTRUCT = "UNSUPPORTED_CONSTRUCT"
    CONSTRUCT_FORBIDDEN = "CONSTRUCT_FORBIDDEN"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing to put right."""

    pointer: str
    """JSON pointer (RFC 6901) to the place; empty for the whole document."""
    reason: Reason
    message: str
    """One sentence that says what to do."""


class InvalidDefinition(ValueError):
    """The definition cannot be accepted; `faults` holds everything that is wrong with it, at least one."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("; ".join(f"{fault.pointer or 'document'}: {fault.message}" for fault in self.faults[:3]))
