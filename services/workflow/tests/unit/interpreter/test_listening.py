"""The `listen` task: which events it takes, until when, and what becomes of them."""

import base64
import itertools
import json
from dataclasses import asdict

import pytest
from millwright_workflow.domain.interpreter.listening import read_event
from millwright_workflow.domain.interpreter.subscription import read_delivery, read_subscription

NUMBERS = itertools.count()


def event(kind, data=None, **attributes):
    return {"specversion": "1.0", "id": str(next(NUMBERS)), "source": "https://line.example", "type": kind,
            "data": data, **attributes}  # fmt: skip


def listen(to, rest=""):
    return f"do: [{{l: {{listen: {{to: {to}{rest}}} }} }}]"


TEMPERATURE = "{with: {type: line.temperature, data: '${ .degrees > 80 }'}}"
PRESSURE = "{with: {type: line.pressure}}"
HOT = {"degrees": 95}


def test_one_takes_the_first_event_that_its_filter_matches(run):
    events = [event("line.pressure"), event("line.temperature", {"degrees": 20}), event("line.temperature", HOT)]
    assert run(listen(f"{{one: {TEMPERATURE}}}"), events=events) == [HOT]


def test_any_takes_the_first_event_that_one_of_its_filters_matches(run):
    events = [event("line.speed"), event("line.pressure", {"bar": 3}), event("line.temperature", HOT)]
    assert run(listen(f"{{any: [{TEMPERATURE}, {PRESSURE}]}}"), events=events) == [{"bar": 3}]


def test_any_of_nothing_takes_whatever_comes(run):
    assert run(listen("{any: []}"), events=[event("line.speed", 4)]) == [4]


def test_all_waits_for_an_event_for_each_filter_in_whatever_order(run):
    events = [event("line.pressure", 1), event("line.pressure", 2), event("line.temperature", HOT)]
    assert run(listen(f"{{all: [{TEMPERATURE}, {PRESSURE}]}}"), events=events) == [1, HOT]
    assert run(listen("{all: []}")) == []


def test_one_event_may_fulfil_several_filters_of_all(run):
    both = "{all: [{with: {type: line.stop}}, {with: {source: 'https://line.example'}}]}"
    assert run(listen(both), events=[event("line.stop", 1)]) == [1]


def test_until_as_an_expression_is_asked_after_each_event_on_the_output_so_far(run):
    events = [event("line.speed", number) for number in range(9)]
    assert run(listen("{any: [], until: '(. | length) > 2'}"), events=events) == [0, 1, 2]


def test_until_as_events_stops_without_taking_the_event_that_stops(run):
    stop = "{one: {with: {type: line.stop}}}"
    events = [event("line.pressure", 1), event("line.stop", 2), event("line.pressure", 3)]
    assert run(listen(f"{{any: [{PRESSURE}], until: {stop}}}"), events=events) == [1]
    assert run(listen(f"{{any: [], until: {stop}}}"), events=events) == [1]


def test_until_as_all_of_some_events_waits_for_each_of_them(run):
    stop = "{all: [{with: {type: line.stop}}, {with: {type: line.empty}}]}"
    events = [event(kind, kind) for kind in ("line.stop", "line.pressure", "line.stop", "line.empty", "line.pressure")]
    assert run(listen(f"{{any: [{PRESSURE}], until: {stop}}}"), events=events) == ["line.pressure"]


@pytest.mark.parametrize(
    ("attributes", "matches"),
    [
        ("type: line.stop", True),
        ("type: 'line\\.(stop|halt)'", True),
        ("type: 'line'", False),
        ("type: lineXstop", False),
        ("type: '${ startswith(\"line.\") }'", True),
        ("type: '${ $input.kind }'", True),
        ("subject: '${ true }'", False),
        ("lineid: '3'", True),
        ("source: 'https://line.example/a?b=(c'", False),
        ("data: {part: bolt}", True),
        ("data: {part: nut}", False),
        ("data: '${ .part == $input.part }'", True),
        ("data: {part: '${ $input.part }'}", True),
        ("data: '${ .part.none }'", False),
    ],
)
def test_an_attribute_is_matched_by_text_by_regular_expression_or_by_expression(run, attributes, matches):
    events = [event("line.stop", {"part": "bolt"}, lineid="3"), event("line.end", "end")]
    text = listen(f"{{any: [{{with: {{{attributes}}}}}, {{with: {{type: line.end}}}}]}}")
    expected = {"part": "bolt"} if matches else "end"
    assert run(text, {"kind": "line.stop", "part": "bolt"}, events=events) == [expected]


def test_text_that_would_be_a_regular_expression_still_equals_itself(run):
    events = [event("line.stop", 1, subject="lot (3)+")]
    assert run(listen("{one: {with: {subject: 'lot (3)+'}}}"), events=events) == [1]


CORRELATED = """
do:
- l:
    listen:
      to:
        all:
        - with: {{type: line.temperature}}
          correlate: {{line: {{from: .lineid{expect}}}}}
        - with: {{type: line.pressure}}
          correlate: {{line: {{from: .lineid}}}}
"""


def test_events_are_correlated_with_the_first_that_was_taken(run):
    events = [
        event("line.pressure", "p1", lineid="1"),
        event("line.temperature", "t2", lineid="2"),
        event("line.temperature", "t"),
        event("line.temperature", "t1", lineid="1"),
    ]
    assert run(CORRELATED.format(expect=""), events=events) == ["p1", "t1"]


def test_events_are_correlated_with_what_is_expected(run):
    events = [event("line.temperature", "t1", lineid="1"), event("line.temperature", "t2", lineid="2"),
              event("line.pressure", "p2", lineid="2")]  # fmt: skip
    assert run(CORRELATED.format(expect=", expect: '${ .line }'"), {"line": 2}, events=events) == ["t2", "p2"]


def test_a_subscription_keeps_of_the_variables_what_its_expressions_mention(plan, engine):
    one = engine(events=[event("line.stop", {"n": 1})])
    text = listen("{one: {with: {type: line.stop, data: '${ .n == $input.n }'}, correlate: {k: {from: .id}}}}")
    one.run(plan(text), {"n": 1})
    (pattern,) = one.subscriptions[0].subscription.patterns
    assert pattern.texts == {"type": "line.stop"}
    assert pattern.conditions[0].variables == {"input": {"n": 1}}
    assert not pattern.keys["k"].is_expected


def test_subscriptions_and_deliveries_can_be_kept_as_json(plan, engine):
    one = engine(events=[event("line.pressure", 1, lineid="1"), event("line.temperature", 2, lineid="1")])
    one.run(plan(CORRELATED.format(expect=", expect: '1'")), {})
    subscription, (delivery, _) = one.subscriptions[0].subscription, one.inboxes["/do/0/l"]
    assert read_subscription(json.loads(json.dumps(asdict(subscription)))) == subscription
    assert read_delivery(json.loads(json.dumps(asdict(delivery)))) == delivery


def test_what_is_read_is_data_the_envelope_or_the_bytes(run):
    sent = event("line.stop", {"n": 1})
    assert run(listen("{any: []}", ", read: envelope"), events=[sent]) == [sent]
    assert run(listen("{any: []}", ", read: raw"), events=[sent]) == [base64.b64encode(b'{"n":1}').decode()]


def test_data_may_be_text_or_bytes_or_absent():
    assert read_event({"data": "grün"}, "raw") == base64.b64encode("grün".encode()).decode()
    assert read_event({"data_base64": "AAE="}, "raw") == read_event({"data_base64": "AAE="}, "data") == "AAE="
    assert read_event({}, "data") is None


FOREACH = """
do:
- l:
    listen: {{to: {{any: [], until: '(. | length) > 2'}}}}
    foreach:
      item: reading
      at: place
      {do}
      output: {{as: '{{n: ., of: $place}}'}}
      export: {{as: '($context | .total) as $t | {{total: ($t + .n)}}'}}
- z: {{set: {{out: '${{ . }}', total: '${{ $context.total }}'}}}}
"""


@pytest.mark.parametrize("do", ["do: [{a: {set: '${ $reading * 1 }'}}]", ""])
def test_foreach_handles_each_event_before_the_next(run, do):
    events = [event("line.speed", number) for number in (5, 6, 7, 8)]
    out = run(FOREACH.format(do=do), {"total": 100}, events=events)
    assert out == {"out": [{"n": 5, "of": 0}, {"n": 6, "of": 1}, {"n": 7, "of": 2}], "total": 118}


def test_the_tasks_of_foreach_take_the_input_of_the_listen(run):
    text = "do: [{l: {listen: {to: {any: []}}, foreach: {do: [{a: {set: '${ [., $item] }'}}]}}}]"
    assert run(text, 3, events=[event("x", 4)]) == [[3, 4]]


def test_end_in_foreach_ends_the_workflow(run):
    text = """
do:
- l:
    listen: {to: {any: [], until: '${ false }'}}
    foreach: {do: [{a: {if: $item == 2, set: '${ $item }', then: end}}, {b: {set: '${ $item }'}}]}
- z: {set: {n: 9}}
"""
    assert run(text, events=[event("x", number) for number in (1, 2, 3)]) == [1, 2]


def test_a_time_limit_ends_listening(fault_of):
    text = f"do: [{{l: {{timeout: {{after: PT5S}}, listen: {{to: {{one: {PRESSURE}}}}}}}}}]"
    assert fault_of(text, events=[event("line.stop")]).instance == "/do/0/l"
