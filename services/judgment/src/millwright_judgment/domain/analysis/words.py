"""Words: boxes and inputs as people write them, in the grammar of cells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from millwright_judgment.domain.ruleset import predicates
from millwright_judgment.domain.ruleset.fields import Field, FieldType
from millwright_judgment.domain.ruleset.predicates import Predicate, Texts

_SHOWN = 5
"""How many values or rules are named one by one."""


def in_words(values: Mapping[Field, Predicate]) -> str:
    """Write which values of which fields are meant."""
    written = [_narrowed(field, predicate) for field, predicate in values.items()]
    return " and ".join(written) or "the input is whatever"


def example(fields: Sequence[Field], values: Mapping[Field, Predicate]) -> str:
    """Write an input that has these values, as JSON; other fields have any."""
    chosen = {}
    for field in fields:
        point = predicates.any_point(values.get(field, field.domain), field.values)
        chosen[field.name] = field.scalar(point)
    return json.dumps(chosen, ensure_ascii=False)


def names(rules: Sequence[str]) -> str:
    """Write the names of rules, the first few."""
    if len(rules) > _SHOWN:
        return f"{', '.join(rules[:_SHOWN])} and others"
    return f"{', '.join(rules[:-1])} and {rules[-1]}" if len(rules) > 1 else rules[0]


def _narrowed(field: Field, predicate: Predicate) -> str:
    if predicates.is_within(Predicate(field.domain.values), predicate):
        return f"{field.name} != null"
    values = [*_values(field, predicate), *(["null"] if predicate.is_null else [])]
    if len(values) == 1:
        return f"{field.name} {values[0] if values[0][0] in '<>' or values[0][:3] == 'not' else f'is {values[0]}'}"
    more = f" or {len(values) - _SHOWN:,} more" if len(values) > _SHOWN else ""
    return f"{field.name} is {' or '.join(values[:_SHOWN])}{more}"


def _values(field: Field, predicate: Predicate) -> Iterator[str]:
    if isinstance(predicate.values, Texts):
        named = [json.dumps(text, ensure_ascii=False) for text in sorted(predicate.values.values)]
        if predicate.values.is_excluding:
            yield f"not in [{', '.join(named)}]"
        else:
            yield from named
        return
    for low, high in predicate.values.spans:
        yield _span(field, low, high)


def _span(field: Field, low: int, high: int) -> str:
    if field.type is FieldType.BOOLEAN:
        return "true or false" if low < high else str(bool(low)).lower()
    assert field.grid is not None
    first, last = field.range
    if low == high:
        return field.grid.text(low)
    if high == last:
        return f">= {field.grid.text(low)}"
    if low == first:
        return f"<= {field.grid.text(high)}"
    return f"[{field.grid.text(low)}..{field.grid.text(high)}]"
