"""Payloads come back as they were, whatever their size, and tell their size by their beginning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime.json import to_text
from millwright_workflow.store import payloads

JSON = st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists, max_leaves=200)


@given(JSON, st.sampled_from([1, 50, 400]))
def test_any_json_comes_back_and_tells_its_size(value, times):
    text = to_text([value] * times)
    stored = payloads.pack(text)
    assert payloads.unpack(stored) == text
    assert payloads.size(stored[: payloads.HEAD_BYTES], len(stored)) == len(text.encode())


@pytest.mark.parametrize(("more", "is_plain"), [(0, True), (1, False)])
def test_what_is_larger_than_2_kib_is_compressed(more, is_plain):
    text = f'"{"x" * (payloads.PLAIN_BYTES - 2 + more)}"'
    assert (payloads.pack(text) == text.encode()) is is_plain


def test_a_list_of_measurements_is_stored_in_a_fraction_of_its_size():
    text = to_text([{"line": "SMT-1", "sensor": number % 40, "value": number / 8} for number in range(20_000)])
    assert len(payloads.pack(text)) < len(text) / 5
