"""What approvals look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.workflow.v1.approval_service_pb2 import Approval
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import clean, facts, glyph, json_text, marked, short, table
from millwright_cli.times import moment
from millwright_cli.words import Word, Words
from millwright_cli.workflow.words import Term


def approval(found: Approval, say: Words) -> list[RenderableType]:
    """Draw all that is known of one approval."""
    return [
        facts(
            (
                (Term.APPROVAL, short(found.name)),
                (Word.TITLE, clean(found.title)),
                (Word.STATE, _state(found, say)),
                (Word.DETAILS, json_text(found.details) if found.details.WhichOneof("kind") != "null_value" else ""),
                (Term.ROLE, clean(found.role)),
                (Term.INSTANCE, short(found.instance)),
                (Term.TASK, clean(found.task)),
                (Word.CREATED, moment(found.create_time, say)),
                (Term.ESCALATES, moment(found.escalate_time, say) if found.HasField("escalate_time") else ""),
                (Term.EXPIRES, moment(found.expire_time, say) if found.HasField("expire_time") else ""),
                (Term.DECIDER, clean(found.decider)),
                (Term.COMMENT, clean(found.comment)),
                (Term.DECIDED, moment(found.decide_time, say) if found.HasField("decide_time") else ""),
            ),
            say,
        )
    ]


def approval_table(approvals: Iterable[Approval], say: Words) -> RenderableType:
    """Draw approvals, one a row."""
    headings = (Term.APPROVAL, Word.STATE, Term.ROLE, Word.CREATED, Term.EXPIRES, Word.TITLE)
    rows = (
        (
            short(each.name),
            _state(each, say),
            clean(each.role),
            moment(each.create_time, say),
            moment(each.expire_time, say),
            clean(each.title),
        )
        for each in approvals
    )
    return table(headings, rows, say)


def decided(found: Approval, say: Words) -> Text:
    """Say what was decided."""
    name = Approval.State.Name(found.state)
    sentence = say(Term.DECISION_MADE, approval=short(found.name), state=say.named(name))
    return Text.assemble(glyph(name), " ", sentence)


def _state(found: Approval, say: Words) -> Text:
    return marked(Approval.State.Name(found.state), say)
