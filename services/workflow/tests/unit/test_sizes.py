"""JSON is measured as it is sent, without being made a message first."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime.api import messages
from millwright_runtime.json import NESTING_LIMIT, from_text, to_text
from millwright_worker import task as sdk
from millwright_workflow.domain import approvals, sizes, work

HALVES_TOO = st.characters(exclude_categories=())
NUMBERS = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(HALVES_TOO),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
LONG = [126, 127, 128, 16_380, 16_384, 2_097_150, 2_097_152]
"""Where what tells a length grows by a byte, and just before."""


def sent(value):
    """Give JSON as it is sent."""
    return messages.value(from_text(to_text(value)))


@given(JSON)
def test_a_value_is_as_large_as_protobuf_writes_it(value):
    assert sizes.value_bytes(value) == sent(value).ByteSize()


@pytest.mark.parametrize("length", LONG)
def test_a_length_takes_as_many_bytes_as_protobuf_writes(length):
    for value in ("x" * length, ["x" * length, 1], {"x" * length: [1, 2]}):
        assert sizes.value_bytes(value) == sent(value).ByteSize()


@given(JSON)
def test_no_character_of_json_takes_more_than_what_is_counted_from(value):
    assert sizes.value_bytes(value) <= 9 * len(to_text(value))


@pytest.mark.parametrize("value", ["x" * 3000, "불" * 1000, [1] * 300, [-1.2345678901234567e-308] * 150, "\0" * 600])
def test_the_larger_of_text_and_message_counts(value):
    most = max(len(to_text(value).encode()), messages.value(value).ByteSize())
    assert sizes.text_of("input", value, most) == to_text(value)
    with pytest.raises(ValueError, match="The input may have at most"):
        sizes.text_of("input", value, most - 1)


def test_what_is_deeper_than_a_message_may_be_is_refused():
    deep = 1
    for _ in range(NESTING_LIMIT):
        deep = [deep]
    assert sizes.text_of("input", deep, 1000)
    with pytest.raises(ValueError, match="nested levels"):
        sizes.text_of("input", [deep], 1000)


def test_a_waveform_that_no_client_would_take_is_not_given_to_workers():
    with pytest.raises(ValueError, match="not 4400005"):
        work.wish("inspect", [1] * 400_000, timedelta(seconds=30), 3)


def test_details_of_an_approval_are_counted_in_bytes():
    with pytest.raises(ValueError, match="not 300002"):
        approvals.question("Ship?", "불" * 100_000, ["operator"], None, None, [])


def test_the_sdk_refuses_what_the_service_would():
    assert (sdk.OUTPUT_LIMIT_BYTES, sdk.STATE_LIMIT_BYTES) == (sizes.VALUE_LIMIT_BYTES, work.STATE_LIMIT_BYTES)
