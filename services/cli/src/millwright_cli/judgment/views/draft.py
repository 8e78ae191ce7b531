"""What drafts look like to a person. Pure functions from an answer to lines."""

from collections.abc import Iterable

from millwright.judgment.v1 import ruleset_pb2
from millwright.judgment.v1 import ruleset_service_pb2 as pb
from rich.console import RenderableType
from rich.text import Text

from millwright_cli.drawing import caveats, clean, facts, glyph, marked, short, table
from millwright_cli.judgment.views import gate
from millwright_cli.judgment.words import Term
from millwright_cli.times import moment
from millwright_cli.words import Word, Words


def saved(answer: pb.SaveDraftResponse, took: str, say: Words) -> list[RenderableType]:
    """Say that a draft was saved, and what is wrong with it so far."""
    found = answer.draft
    sentence = say(Term.DRAFT_SAVED, draft=short(found.name), etag=clean(found.etag), took=took)
    return [
        Text.assemble(glyph(_state(found)), " ", sentence),
        *gate.findings(answer.findings, say),
        *caveats(say, replayed=answer.replayed),
    ]


def draft(found: ruleset_pb2.Draft, say: Words) -> list[RenderableType]:
    """Draw one draft and what the gate found last."""
    known = facts(
        (
            (Term.RULESET, _ruleset(found)),
            (Term.DRAFT, short(found.name)),
            (Word.STATE, marked(_state(found), say)),
            (Term.ETAG, found.etag),
            (Word.ACTOR, found.updater),
            (Word.CREATED, moment(found.create_time, say)),
            (Word.UPDATED, moment(found.update_time, say)),
        ),
        say,
    )
    return [known, *([Text(), *gate.report(found.gate_report, say)] if found.HasField("gate_report") else [])]


def draft_table(found: Iterable[ruleset_pb2.Draft], say: Words) -> RenderableType:
    """Draw drafts, one a row."""
    headings = (Term.DRAFT, Term.RULESET, Word.STATE, Word.UPDATED, Word.ACTOR, Term.ETAG)
    rows = (
        (
            short(each.name),
            _ruleset(each),
            marked(_state(each), say),
            moment(each.update_time, say),
            each.updater,
            each.etag,
        )
        for each in found
    )
    return table(headings, rows, say)


def removal(draft: str, say: Words) -> Text:
    """Say that a draft is gone."""
    return Text.assemble(("✔ ", "green"), say(Term.DRAFT_REMOVED, draft=clean(draft)))


def _state(found: ruleset_pb2.Draft) -> str:
    return ruleset_pb2.Draft.State.Name(found.state)


def _ruleset(found: ruleset_pb2.Draft) -> str:
    return clean(found.name.removeprefix("rulesets/").partition("/")[0])
