"""What the publish gate's report looks like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable, Sequence

from millwright.judgment.v1 import ruleset_pb2
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import facts, glyph, marked, table
from millwright_cli.judgment.words import Term
from millwright_cli.words import Word, Words

_Finding = ruleset_pb2.Finding


def report(found: ruleset_pb2.GateReport, say: Words) -> list[RenderableType]:
    """Draw a report: whether the gate was passed, the examples, the replay, and the findings as a table."""
    return [verdict(found, say), *summary(found, say), *findings(found.findings, say)]


def verdict(found: ruleset_pb2.GateReport, say: Words) -> Text:
    """Say whether the gate was passed."""
    if found.passed:
        return Text.assemble(("✔ ", "green"), say(Term.GATE_PASSED))
    blocking = sum(each.severity == _Finding.SEVERITY_ERROR for each in found.findings)
    return Text.assemble(("✘ ", "red"), say(Term.GATE_BLOCKED, n=blocking))


def summary(found: ruleset_pb2.GateReport, say: Words) -> list[RenderableType]:
    """Say what the examples and the replay gave; nothing of what there was none of."""
    lines: list[RenderableType] = []
    if found.examples_total:
        held = say(Term.EXAMPLES_HELD, passed=found.examples_passed, total=found.examples_total)
        lines.append(facts([(Term.EXAMPLES, held)], say))
    if found.HasField("replay"):
        lines += _replay(found.replay, say)
    return lines


def findings(found: Sequence[_Finding], say: Words) -> list[RenderableType]:
    """Draw findings as a table, if there are any."""
    return [finding_table(found, say)] if found else []


def finding_table(found: Iterable[_Finding], say: Words) -> RenderableType:
    """Draw findings, one a row: what, where, why, and an input that shows it."""
    headings = (Term.FINDING, Word.STATE, Term.RULE, Term.FIELD, Word.DETAILS, Term.EXAMPLE)
    rows = (
        (
            each.code,
            marked(_Finding.Severity.Name(each.severity), say),
            each.rule or each.table or each.pointer,
            each.field,
            each.message,
            each.example,
        )
        for each in found
    )
    return table(headings, rows, say)


def imported(found: Sequence[_Finding], say: Words) -> list[RenderableType]:
    """Say what is to be looked at in an imported document."""
    return [Text(say(Term.IMPORTED), style="dim"), finding_table(found, say)] if found else []


def transition_table(found: Iterable[ruleset_pb2.Transition], say: Words) -> RenderableType:
    """Draw which outcome became which, and how often."""
    headings = (Term.FROM, Term.TO, Term.EXECUTIONS)
    return table(headings, ((each.from_outcome, each.to_outcome, f"{each.executions:,}") for each in found), say)


def _replay(found: ruleset_pb2.GateReplay, say: Words) -> list[RenderableType]:
    counts = {"outcomes": f"{found.changed_outcomes:,}", "details": f"{found.changed_details:,}"}
    sentence = say(Term.GATE_REPLAYED, n=f"{found.executions:,}", version=found.baseline_version, **counts)
    lines: list[RenderableType] = [Text(sentence)]
    for word, count in ((Term.GATE_REFUSED, found.errors), (Term.NOT_REPRODUCED, found.not_reproducible)):
        if count:
            lines.append(Text.assemble("  ", glyph("SEVERITY_WARNING"), " ", say(word, n=f"{count:,}")))
    if found.transitions:
        lines.append(transition_table(found.transitions, say))
    return lines
