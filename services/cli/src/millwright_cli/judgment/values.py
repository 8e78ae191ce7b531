"""Values of inputs: from what a person types or a file holds to what a request holds, and back to text."""

import json
from collections.abc import Iterable

from google.protobuf.struct_pb2 import Value as JsonValue
from millwright.judgment.v1 import judgment_pb2 as pb

from millwright_cli import errors
from millwright_cli.arguments import json_value
from millwright_cli.drawing import clean, number
from millwright_cli.judgment.words import Term
from millwright_cli.words import Words

_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


def typed(assignments: Iterable[str], given: str | None, say: Words) -> pb.Input:
    """Read an input from a JSON object and from `field=value` beside it, which wins.

    A value that is JSON is what it says (`0.07`, `true`, `null`, `"12"`); any other is a text.
    """
    found = _object(json_value(given, say), say) if given is not None else pb.Input()
    for each in assignments:
        field, value = scalar(each, say)
        found.values[field].CopyFrom(value)
    return found


def scalar(assignment: str, say: Words) -> tuple[str, pb.Value]:
    """Read `field=value`. A value that is JSON is what it says; any other is a text."""
    field, sign, text = assignment.partition("=")
    if not field or not sign:
        raise errors.usage("BAD_ASSIGNMENT", say(Term.BAD_ASSIGNMENT, text=assignment))
    return field, _scalar(json_value(_as_json(text), say), field, say)


def cell(text: str, kind: str) -> pb.Value:
    """Read a cell of a CSV file as its field's type; one that does not fit goes as a text, for the service to refuse.

    An empty cell says that the value is missing.
    """
    if not text:
        return pb.Value()
    if kind in ("number", "integer"):
        try:
            return pb.Value(number=float(text))
        except ValueError:
            return pb.Value(text=text)
    if kind == "boolean" and text.lower() in _TRUTHS:
        return pb.Value(flag=_TRUTHS[text.lower()])
    return pb.Value(text=text)


def plain(value: object) -> pb.Value:
    """Give a scalar of JSON as a value. Raises ValueError for a list or an object."""
    match value:
        case None:
            return pb.Value()
        case bool():
            return pb.Value(flag=value)
        case int() | float():
            return pb.Value(number=value)
        case str():
            return pb.Value(text=value)
    raise ValueError


def written(value: pb.Value) -> str:
    """Write a value as a person reads it; a missing one is a dash."""
    match value.WhichOneof("kind"):
        case "number":
            return number(value.number)
        case "text":
            return clean(value.text)
        case "flag":
            return str(value.flag).lower()
    return "–"


def _object(found: JsonValue, say: Words) -> pb.Input:
    if found.WhichOneof("kind") != "struct_value":
        raise errors.usage("BAD_INPUT", say(Term.NO_OBJECT))
    values = {field: _scalar(each, field, say) for field, each in found.struct_value.fields.items()}
    return pb.Input(values=values)


def _scalar(found: JsonValue, field: str, say: Words) -> pb.Value:
    match found.WhichOneof("kind"):
        case "null_value":
            return pb.Value()
        case "number_value":
            return pb.Value(number=found.number_value)
        case "string_value":
            return pb.Value(text=found.string_value)
        case "bool_value":
            return pb.Value(flag=found.bool_value)
    raise errors.usage("BAD_INPUT", say(Term.NO_SCALAR, field=field))


def _as_json(text: str) -> str:
    """Give a value as JSON: as it stands if it is a scalar of it, else as a text."""
    try:
        return json.dumps(text) if isinstance(json.loads(text), list | dict) else text
    except (ValueError, RecursionError):
        return json.dumps(text)
