"""Names are taken apart only if they are what the contract calls a name."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime.errors import InvalidFields
from millwright_workflow.domain import names

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
workflows = st.builds("{}.{}".format, labels, labels)
numbers = st.integers(1, 999_999_999)


@given(workflows, numbers, labels, st.uuids())
def test_what_is_put_together_is_taken_apart_again(workflow, number, channel, instance):
    assert names.parse_workflow(names.workflow(workflow), "name") == workflow
    assert names.parse_version(names.version(workflow, number), "name") == names.VersionName(workflow, number)
    assert names.parse_channel(names.channel(workflow, channel), "name") == names.ChannelName(workflow, channel)
    assert names.parse_instance(names.instance(instance), "name") == instance


MALFORMED = {
    names.parse_workflow: [
        "",
        "plant.line",
        "workflows/",
        "workflows/line",
        "workflows/plant.line/",
        "workflows/plant.line\n",
        "workflows/Plant.line",
        "workflows/-plant.line",
        "workflows/plant-.line",
        "workflows/plant..line",
        "workflows/plänt.line",
        f"workflows/{'x' * 64}.line",
        "workflows/plant.line/../other",
    ],
    names.parse_version: [
        "workflows/plant.line/versions/0",
        "workflows/plant.line/versions/01",
        "workflows/plant.line/versions/-1",
        "workflows/plant.line/versions/1.0",
        "workflows/plant.line/versions/1000000000",
        "workflows/plant.line/versions/١",
    ],
    names.parse_channel: ["workflows/plant.line/channels/", "workflows/plant.line/channels/a/b"],
    names.parse_instance: [
        "",
        "instances/",
        f"instances/{uuid.UUID(int=1)}".upper(),
        f"instances/{uuid.UUID(int=1).hex}",
        f"instances/{{{uuid.UUID(int=1)}}}",
    ],
}


@pytest.mark.parametrize(("parse", "name"), [(parse, name) for parse, bad in MALFORMED.items() for name in bad])
def test_a_malformed_name_is_refused_with_the_field_it_stood_in(parse, name):
    with pytest.raises(InvalidFields) as caught:
        parse(name, "the_field")
    (violation,) = caught.value.violations
    assert (violation.field, violation.reason) == ("the_field", "MALFORMED_NAME")


@given(st.text(max_size=80))
def test_any_text_is_taken_apart_or_refused(text):
    for parse in MALFORMED:
        try:
            parse(text, "name")
        except InvalidFields:
            continue
