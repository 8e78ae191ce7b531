"""What a subscription is found by: every event that it could want finds it, and few others do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain import subscribing
from millwright_workflow.domain.interpreter.subscription import Condition, EventPattern, Key, Subscription

EVENT = {"type": "weld.done", "source": "https://plant.example", "data": {"part": 7}}


def of(**pattern):
    return Subscription((EventPattern(**pattern),), "/do/0/hear")


@pytest.mark.parametrize(
    "texts",
    [{}, {"type": "weld.done"}, {"source": "https://plant.example"}, {"type": "weld.done", "subject": "x"}],
)
def test_an_event_is_looked_up_where_a_pattern_that_could_want_it_is_filed(texts):
    (filed,) = subscribing.topics(of(texts=texts))
    assert filed.topic.route in subscribing.routes(EVENT)


@pytest.mark.parametrize("texts", [{"type": "weld.begun"}, {"source": "https://other.example"}])
def test_a_pattern_of_another_type_or_source_is_filed_elsewhere(texts):
    (filed,) = subscribing.topics(of(texts=texts))
    assert filed.topic.route not in subscribing.routes(EVENT)


def test_an_expected_key_is_part_of_what_a_pattern_is_filed_under():
    def filed(expected):
        return subscribing.topics(of(keys={"part": Key("${ .data.part }", is_expected=True, expected=expected)}))[0]

    assert filed(7) == filed("7")
    assert filed(7) != filed(8)
    assert filed(7).topic.value == subscribing.key_value(7)
    assert filed(7).template_text == '"${ .data.part }"'


def test_a_key_that_the_first_event_fixes_is_not():
    (filed,) = subscribing.topics(of(keys={"part": Key("${ .data.part }", is_expected=False)}))
    assert filed.topic.template == subscribing.NO_KEY


def test_patterns_of_one_topic_are_filed_once():
    twice = Subscription((EventPattern({"type": "a"}), EventPattern({"type": "a", "subject": "b"})), "/")
    assert len(subscribing.topics(twice)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('ab한"', max_size=5),
    lambda children: st.lists(children, max_size=2) | st.dictionaries(st.text("ab", max_size=2), children, max_size=2),
    max_leaves=5,
)
NAMES = st.text("abc", min_size=1, max_size=3)
PATTERNS = st.builds(
    EventPattern,
    texts=st.dictionaries(NAMES, st.text(max_size=3).filter(str.isprintable), max_size=2),
    data=JSON,
    has_data=st.booleans(),
    conditions=st.lists(st.builds(Condition, NAMES, JSON, st.dictionaries(NAMES, JSON, max_size=2)), max_size=2).map(
        tuple
    ),
    keys=st.dictionaries(NAMES, st.builds(Key, JSON, st.booleans(), JSON), max_size=2),
)


@given(st.lists(PATTERNS, max_size=3).map(tuple))
def test_what_is_written_is_what_is_read(patterns):
    subscription = Subscription(patterns, "/do/0/hear")
    assert subscribing.read(subscribing.write(subscription)) == subscription


@pytest.mark.parametrize(
    ("reference", "pointers"),
    [
        ("/do/0/hear", ("/do/0/hear",)),
        ("/do/0/hear@3.0", ("/do/0/hear@3.0", "/do/0/hear")),
        ("/do/0/hear@3#1.0", ("/do/0/hear@3#1.0", "/do/0/hear")),
        ("/do/0/hear#1", ("/do/0/hear#1", "/do/0/hear")),
        ("/do/0/he@re", ("/do/0/he@re",)),
        ("/do/0/a@b@2", ("/do/0/a@b@2", "/do/0/a@b")),
    ],
)
def test_a_reference_gives_every_pointer_that_it_may_stand_for(reference, pointers):
    assert subscribing.pointer_of(reference) == pointers
