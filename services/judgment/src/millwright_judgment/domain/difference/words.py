"""Causes in words: English and Korean, for the people at the line."""

from __future__ import annotations

from collections.abc import Sequence

from millwright_runtime.json import Json

from millwright_judgment.domain.difference.causes import Cause, CauseKind
from millwright_judgment.domain.difference.edits import Edit, EditKind
from millwright_judgment.domain.difference.hybrids import CONDITIONS
from millwright_judgment.domain.input.changes import InputChange, Operation

_SHOWN = 6
"""How many edits of an interaction are put into words."""


def in_words(cause: Cause) -> dict[str, str]:
    """Give a cause as one sentence, by language."""
    return {"en": _english(cause), "ko": _korean(cause)}


def changes_in_words(changes: Sequence[InputChange]) -> dict[str, str]:
    """Give changes of the input, by language."""
    return {"en": "; ".join(map(_english_change, changes)), "ko": "; ".join(map(_korean_change, changes))}


def _english(cause: Cause) -> str:
    parts = [_english_edit(edit) for edit in cause.minimal_edits] + [_english_change(it) for it in cause.input_changes]
    more = f"; and {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else ""
    listed = "; ".join(parts[:_SHOWN]) + more
    match cause.kind:
        case CauseKind.RULE_STARTED_MATCHING:
            return f"Rule {cause.minimal_edits[0].rule} matches now: {listed}."
        case CauseKind.RULE_STOPPED_MATCHING:
            return f"Rule {cause.minimal_edits[0].rule} does not match any more: {listed}."
        case CauseKind.INTERACTION:
            return f"Only together: {listed}."
        case _:
            return f"{listed[:1].upper()}{listed[1:]}." if listed else "Nothing in the rules explains it."


def _english_edit(edit: Edit) -> str:
    if edit.kind in CONDITIONS:
        return f"rule {edit.rule} asks of {edit.field} for {edit.after or 'anything'}, not {edit.before or 'anything'}"
    match edit.kind:
        case EditKind.OUTPUT_CHANGED:
            return f"rule {edit.rule} puts out {edit.field} {edit.after or 'nothing'}, not {edit.before or 'nothing'}"
        case EditKind.RULE_ADDED:
            return f"rule {edit.rule} was added"
        case EditKind.RULE_REMOVED:
            return f"rule {edit.rule} was removed"
        case EditKind.ORDER_CHANGED:
            return f"the rules of table {edit.table} are in another order"
        case EditKind.SCHEMA_CHANGED:
            return f"the schema's field {edit.field} changed"
        case EditKind.TABLE_CHANGED:
            return f"table {edit.table} changed" if edit.table else "the chain of tables changed"
        case _:
            return f"the ruleset's {edit.field} changed"


def _english_change(change: InputChange) -> str:
    match change.operation:
        case Operation.SET:
            return f"the input's {change.field} was set to {_written(change.operand)}"
        case Operation.ADD:
            return f"{_written(change.operand)} was added to the input's {change.field}"
        case Operation.MULTIPLY:
            return f"the input's {change.field} was multiplied by {_written(change.operand)}"
        case Operation.REMOVE:
            return f"the input's {change.field} was taken away"


def _korean(cause: Cause) -> str:
    parts = [_korean_edit(edit) for edit in cause.minimal_edits] + [_korean_change(it) for it in cause.input_changes]
    more = f"; 그 밖에 {len(parts) - _SHOWN}건" if len(parts) > _SHOWN else ""
    listed = "; ".join(parts[:_SHOWN]) + more
    match cause.kind:
        case CauseKind.RULE_STARTED_MATCHING:
            return f"규칙이 새로 일치합니다. {listed}."
        case CauseKind.RULE_STOPPED_MATCHING:
            return f"규칙이 더 이상 일치하지 않습니다. {listed}."
        case CauseKind.INTERACTION:
            return f"다음 변경이 함께 작용했습니다. {listed}."
        case _:
            return f"{listed}." if listed else "규칙으로는 설명되지 않습니다."


def _korean_edit(edit: Edit) -> str:
    if edit.kind in CONDITIONS:
        return f"규칙 {edit.rule}의 조건 {edit.field}: {edit.before or '(없음)'} → {edit.after or '(없음)'}"
    match edit.kind:
        case EditKind.OUTPUT_CHANGED:
            return f"규칙 {edit.rule}의 출력 {edit.field}: {edit.before or '(없음)'} → {edit.after or '(없음)'}"
        case EditKind.RULE_ADDED:
            return f"규칙 {edit.rule} 추가"
        case EditKind.RULE_REMOVED:
            return f"규칙 {edit.rule} 삭제"
        case EditKind.ORDER_CHANGED:
            return f"표 {edit.table}의 규칙 순서 변경"
        case EditKind.SCHEMA_CHANGED:
            return f"입력 항목 {edit.field} 정의 변경"
        case EditKind.TABLE_CHANGED:
            return f"표 {edit.table} 변경" if edit.table else "표 연결 변경"
        case _:
            return f"설정 {edit.field} 변경"


def _korean_change(change: InputChange) -> str:
    match change.operation:
        case Operation.SET:
            return f"입력 {change.field} = {_written(change.operand)}"
        case Operation.ADD:
            return f"입력 {change.field} + {_written(change.operand)}"
        case Operation.MULTIPLY:
            return f"입력 {change.field} × {_written(change.operand)}"
        case Operation.REMOVE:
            return f"입력 {change.field} 제거"


def _written(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, int | float) else f'"{value}"'
