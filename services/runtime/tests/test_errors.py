"""An error class is three lines: its name is the reason, its docstring the message."""

import grpc
import pytest
from millwright_runtime import errors
from millwright_runtime.errors import InvalidFields, MillwrightError, NotFound, Violation


class CanaryVersionBad(NotFound):
    """The version {version} of the canary
    is bad."""


def test_the_name_is_the_reason():
    assert CanaryVersionBad(version=7).reason == "CANARY_VERSION_BAD"


def test_the_docstring_is_the_message_in_one_line():
    assert str(CanaryVersionBad(version=7)) == "The version 7 of the canary is bad."


def test_a_variable_with_braces_is_told_as_it_is():
    assert str(CanaryVersionBad(version="{x}")) == "The version {x} of the canary is bad."


def test_wrong_fields_are_summed_up():
    error = InvalidFields([Violation("a", "REQUIRED", "must be set"), Violation("b", "REQUIRED", "must be set")])
    assert str(error) == "The request has 2 wrong field(s): a: must be set"
    assert [violation.field for violation in error.violations] == ["a", "b"]


KINDS = [kind for kind in MillwrightError.__subclasses__() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_the_grpc_code_of_its_name(kind):
    assert kind().reason == kind.code
    assert grpc.StatusCode[kind.code]


def test_the_drawing_shows_every_kind():
    assert all(kind.__name__ in errors.__doc__ for kind in KINDS)
