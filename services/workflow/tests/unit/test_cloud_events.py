"""CloudEvents: what is taken, and how a message says it."""

import base64

import pytest
from millwright_workflow.domain import cloud_events
from millwright_workflow.domain.cloud_events import InvalidEvent, OversizedData

PLAIN = {"specversion": "1.0", "id": "1", "source": "https://plant.example", "type": "weld.done"}
HEADERS = {f"ce-{name}": value for name, value in PLAIN.items()}


@pytest.mark.parametrize(
    "event",
    [
        PLAIN,
        {**PLAIN, "data": {"한": [1, None]}, "datacontenttype": "application/json"},
        {**PLAIN, "data": "text", "datacontenttype": "text/plain"},
        {**PLAIN, "data": "text", "datacontenttype": "application/json"},
        {**PLAIN, "data_base64": base64.b64encode(b"\xff\x00").decode(), "datacontenttype": "image/png"},
        {**PLAIN, "subject": 'a b"ä%41'},
    ],
)
def test_what_is_written_is_what_is_read(event):
    assert cloud_events.read_message(*cloud_events.write_message(event)) == event


def test_a_structured_message_is_the_event_itself():
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    body = b'{"specversion":"1.0","id":"1","source":"https://plant.example","type":"weld.done"}'
    assert cloud_events.read_message(headers, body) == PLAIN


def test_header_names_know_no_case():
    assert cloud_events.read_message({name.upper(): value for name, value in HEADERS.items()}, b"") == PLAIN


def test_the_transports_trace_is_the_events_unless_it_says_another():
    read = cloud_events.read_message({**HEADERS, "traceparent": "00-a"}, b"")
    said = cloud_events.read_message({**HEADERS, "traceparent": "00-a", "ce-traceparent": "00-b"}, b"")
    assert (read["traceparent"], said["traceparent"]) == ("00-a", "00-b")


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_an_event_without_what_cloud_events_demands_is_none(name):
    with pytest.raises(InvalidEvent, match=name):
        cloud_events.check({key: value for key, value in PLAIN.items() if key != name})


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("subject", 5),
        ("Line", "1"),
        ("line-1", "1"),
        ("line", {"a": 1}),
        ("line", 1.5),
        ("subject", "x" * 1025),
    ],
)
def test_an_attribute_that_none_may_have_is_refused_by_its_name(attribute, value):
    with pytest.raises(InvalidEvent) as caught:
        cloud_events.check({**PLAIN, attribute: value})
    assert caught.value.attribute == attribute


def test_an_extension_may_be_a_whole_number_or_a_boolean():
    assert cloud_events.check({**PLAIN, "line": 4, "hot": True})


@pytest.mark.parametrize("data", ["\0", {"a": ["\0"]}, {"\0": 1}])
def test_data_that_the_database_cannot_hold_is_refused(data):
    with pytest.raises(InvalidEvent, match="NUL"):
        cloud_events.check({**PLAIN, "data": data})


def test_data_of_256_kib_is_taken_and_a_byte_more_is_not():
    fits = "x" * (256 * 1024 - 2)  # and its quotes
    assert cloud_events.check({**PLAIN, "data": fits})
    with pytest.raises(OversizedData):
        cloud_events.check({**PLAIN, "data": fits + "x"})


@pytest.mark.parametrize("body", [b"{", b'"text', b"\xff"])
def test_a_body_that_is_not_the_json_it_says_is_no_event(body):
    with pytest.raises(InvalidEvent):
        cloud_events.read_message(HEADERS, body)


@pytest.mark.parametrize(
    ("kind", "tail"),
    [
        ("weld.done", "weld.done"),
        ("a b", "a%20b"),
        ("*.>", "%2A.%3E"),
        ("a..b.", "a._.b._"),
        ("용접", "%EC%9A%A9%EC%A0%91"),
    ],
)
def test_every_type_has_a_subject(kind, tail):
    assert cloud_events.subject("north", {**PLAIN, "type": kind}) == f"millwright.north.events.{tail}"


def test_no_two_sources_and_ids_are_one_event():
    keys = {cloud_events.key({"source": source, "id": event_id}) for source in "ab" for event_id in "ab"}
    assert len(keys) == 4
