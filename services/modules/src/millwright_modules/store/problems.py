"""Problems as they are kept: JSON of what words are made of, not the words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import orjson

from millwright_modules.domain.problem import Problem, Severity
from millwright_modules.domain.words import Reason


def problems_to_text(problems: Sequence[Problem]) -> str:
    """Give problems as JSON."""
    return orjson.dumps([asdict(problem) for problem in problems]).decode()


def problems_from_text(text: str) -> Sequence[Problem]:
    """Give the problems in JSON."""
    return tuple(
        Problem(**{**fields, "reason": Reason(fields["reason"]), "severity": Severity(fields["severity"])})
        for fields in orjson.loads(text)
    )
