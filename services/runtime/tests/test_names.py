"""Names are taken apart only if they have the form that the protos give."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime import names
from millwright_runtime.errors import InvalidFields
from millwright_runtime.names import NameForm

VERSION = NameForm("rulesets/{namespace}.{name}/versions/{number}")
CHANNEL = NameForm("rulesets/{namespace}.{name}/channels/{channel}")
REPLAY = NameForm("replays/{uuid}")
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


@given(labels, labels, st.integers(1, 999_999_999), labels, st.uuids())
def test_a_name_is_taken_apart_into_what_varies(namespace, name, number, channel, replay):
    ruleset = f"{namespace}.{name}"
    assert VERSION.parse(f"rulesets/{ruleset}/versions/{number}", "name") == (ruleset, str(number))
    assert CHANNEL.parse(f"rulesets/{ruleset}/channels/{channel}", "name") == (ruleset, channel)
    assert REPLAY.parse_uuid(f"replays/{replay}", "name") == replay


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (VERSION, ""),
        (VERSION, "rulesets/a.b"),
        (VERSION, "rulesets/a.b/versions/0"),
        (VERSION, "rulesets/a.b/versions/1\n"),
        (VERSION, "rulesets/a/versions/1"),
        (VERSION, "rulesets/axb/versions/1"),
        (CHANNEL, "rulesets/a.b/channels/A"),
        (CHANNEL, "rulesets/a.b/channels/" + "x" * 64),
        (REPLAY, f"replays/{uuid.UUID(int=1).hex}"),
    ],
)
def test_a_name_of_another_form_is_refused_with_the_form(form, name):
    with pytest.raises(InvalidFields) as caught:
        form.parse(name, "the_field")
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("the_field", "MALFORMED_NAME")
    assert violation.description.endswith(("{number}", "{channel}", "{uuid}"))


@pytest.mark.parametrize("text", ["", "Prod", "a b", "-a", "a-", "x" * 64, "prod\n"])
def test_a_label_is_lower_case_and_short(text):
    assert not names.is_label(text)
    with pytest.raises(InvalidFields):
        names.check_label(text, "channel")
    assert names.check_label("prod", "channel") == "prod"
