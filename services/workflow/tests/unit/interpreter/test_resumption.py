"""Going on from what is durable: from every point, to the same end, with nothing run twice."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import composite
from millwright_workflow.domain.interpreter import History, HttpAnswer, Identity, Retry, walk_workflow

MES = "http://mes.example"
CALL = f"{{call: http, with: {{method: get, endpoint: {MES}}}}}"

DEFINITIONS = {
    "a sequence with exports and a skipped task": """
do:
- a: {set: {n: 1}, export: {as: '{seen: .n}'}}
- b: {if: 'false', set: {n: 100}}
- c: {do: [{d: {set: {n: '${ .n + $context.seen }'}}}, {e: {set: {n: '${ .n * 5 }'}}}], output: {as: .n}}
- f: {set: {total: '${ . + $context.seen }'}}
""",
    "nested loops with a condition": """
do:
- l:
    for: {in: '[1, 2, 3, 4]', each: i}
    while: (. | length) < 6
    do:
    - m: {for: {in: '["x", "y"]', each: j}, do: [{s: {set: '${ (. // []) + ["\\($i)\\($j)"] }'}}]}
- z: {set: {all: '${ . }'}}
""",
    "a then that leads back": """
do:
- count: {set: {n: '${ (.n // 0) + 1 }'}, export: {as: '{rounds: .n}'}}
- work: {do: [{w: {set: '${ . }'}}]}
- again: {switch: [{more: {when: .n < 4, then: count}}]}
- done: {set: {n: '${ .n }', rounds: '${ $context.rounds }'}}
""",
    "retries that succeed in the end": f"""
do:
- t:
    try:
    - mark: {{set: {{m: '${{ ($context.m // 0) + 1 }}'}}, export: {{as: '{{m: .m}}'}}}}
    - ask: {CALL}
    catch: {{retry: {{delay: PT5S, limit: {{attempt: {{count: 5}}}}}}}}
- z: {{set: {{answer: '${{ .ok }}', attempts: '${{ $context.m }}'}}}}
""",
    "an error that is handled by several tasks": f"""
do:
- l:
    for: {{in: '[1, 2]'}}
    do:
    - t:
        try: [{{before: {{set: {{n: 1}}}}}}, {{ask: {CALL}}}]
        catch:
          errors: {{with: {{status: 503}}}}
          do: [{{h: {{set: {{s: '${{ $error.status }}'}}}}}}, {{i: {{set: {{s: '${{ .s + $item }}'}}}}}}]
- z: {{set: {{end: '${{ . }}'}}}}
""",
    "branches that wait for one another": """
do:
- f:
    fork:
      branches:
      - a: {do: [{b: {wait: PT2S}}, {c: {set: {n: 1}, export: {as: '$context + {c: 1}'}}}]}
      - d: {do: [{e: {wait: PT1S}}, {g: {fork: {branches: [{h: {set: {n: 2}}}, {i: {wait: PT2S}}]}}}]}
      - j: {call: http, with: {method: get, endpoint: http://mes.example}, if: 'false'}
- z: {set: {all: '${ . }', context: '${ $context }'}}
""",
    "a race with a late loser": """
do:
- f:
    fork:
      compete: true
      branches:
      - slow: {wait: PT1H}
      - fast: {do: [{b: {wait: PT2S}}, {c: {set: {n: 1}, export: {as: '{c: 1}'}}}]}
- z: {set: {won: '${ . }', context: '${ $context }'}}
""",
    "events handled one by one": """
do:
- l:
    listen: {to: {any: [{with: {type: n}, correlate: {k: {from: .k}}}], until: '(. | length) > 2'}}
    foreach:
      do: [{a: {set: '${ $item * 2 }'}}, {b: {set: '${ . + 1 }'}}]
      output: {as: '. + ($context // 0)'}
      export: {as: .}
- z: {set: {all: '${ . }', context: '${ $context }'}}
""",
    "functions, a child and an event": """
use: {functions: {double: {do: [{a: {set: {n: '${ .n * 2 }'}}}, {b: {set: {n: '${ .n + 1 }'}}}]}}}
do:
- a: {call: double, with: {n: 2}}
- b: {call: double}
- c: {run: {workflow: {namespace: plant, name: grade, version: 1.0.0}}}
- d: {emit: {event: {with: {source: 'a://b', type: c, data: '${ . }'}}}, output: {as: .data}}
""",
    "an end in the middle": """
do:
- o: {do: [{a: {set: {n: 1}}}, {b: {set: {n: 2}, then: end}}, {c: {set: {n: 3}}}], output: {as: .n}}
- never: {set: {n: 9}}
output: {as: '{last: .}'}
""",
}


def world():
    """Two failures and then success, for as long as anybody asks."""
    failures = [HttpAnswer(503, {}, b"")] * 2
    answer = HttpAnswer(200, {"content-type": "application/json"}, b'{"ok": true}')
    return {MES: [*failures, *[answer] * 9], "grade": {"grade": "A"}}


def events():
    """Numbers, and every second is of another line."""
    return [
        {"source": "https://x.example", "id": str(number), "type": "n", "data": number, "k": number % 2}
        for number in range(9)
    ]


def finished(history):
    return set(history.results)


@pytest.mark.parametrize("text", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_walk_cut_after_any_commit_goes_on_to_the_same_end_and_repeats_nothing(plan, engine, text):
    definition = plan(text)
    whole = engine(answers=world(), events=events())
    output = whole.run(definition)
    cut = 1
    while True:
        answers = world()
        first = engine(answers=answers, events=events(), stop_after=cut)
        if first.runs_to_its_end(definition):
            break
        second = engine(answers=answers, events=events(), history=first.past, inboxes=first.inboxes)
        assert second.run(definition) == output
        assert not finished(first.past) & set(second.began)
        done = sorted(each.reference for each in (*first.commits, *second.commits))
        assert done == sorted(each.reference for each in whole.commits)
        assert len(first.calls) + len(second.calls) == len(whole.calls)
        cut += 1
    assert cut > len(whole.commits)


@pytest.mark.parametrize("text", DEFINITIONS.values(), ids=DEFINITIONS)
def test_a_walk_cut_again_after_every_single_commit_comes_to_the_same_end(plan, engine, text):
    definition = plan(text)
    output = engine(answers=world(), events=events()).run(definition)
    answers, history = world(), History()
    one = engine(answers=answers, events=events(), stop_after=1)
    while not one.runs_to_its_end(definition):
        history = one.past
        one = engine(answers=answers, events=events(), history=history, inboxes=one.inboxes, stop_after=1)
    assert one.output == output


def test_a_finished_instance_runs_nothing_and_evaluates_nothing_but_its_output(plan, engine):
    definition = plan(DEFINITIONS["nested loops with a condition"])
    one = engine()
    output = one.run(definition)
    two = engine(history=one.past)
    assert two.run(definition) == output
    assert (two.began, two.commits, two.evaluations) == ([], [], [])


def test_a_result_of_another_definition_of_the_task_does_not_count(plan, engine):
    one = engine()
    one.run(plan("do: [{a: {set: {n: 1}}}, {b: {set: {m: '${ .n }'}}}]"))
    two = engine(history=one.past)
    assert two.run(plan("do: [{a: {set: {n: 2}}}, {b: {set: {m: '${ .n }'}}}]")) == {"m": 1}
    assert two.began == ["/do/0/a"]


def test_a_failure_of_another_definition_of_the_try_does_not_count(plan, engine):
    definition = plan(DEFINITIONS["retries that succeed in the end"])
    one = engine(answers=world(), stop_after=2)
    assert not one.runs_to_its_end(definition)
    foreign = {key: replace(failure, task_hash=b"other") for key, failure in one.past.failures.items()}
    two = engine(answers=world(), history=History({}, foreign))
    two.run(definition)
    assert "/do/0/t/try/0/mark@0" in two.began


def test_a_resumed_retry_asks_for_the_rest_of_its_delay(plan, engine):
    definition = plan(DEFINITIONS["retries that succeed in the end"])
    one = engine(answers=world(), stop_after=2)
    assert not one.runs_to_its_end(definition)
    walk = walk_workflow(definition, None, one.past, Identity("i", one.now, "millwright", "0.1.0"))
    next(walk)
    effect = walk.send(one.now)
    assert isinstance(effect, Retry)
    assert effect.failure == one.past.failures["/do/0/t"]


def test_a_resumed_for_begins_at_the_round_that_was_under_way(plan, engine):
    definition = plan("do: [{l: {for: {in: '[1, 2, 3]'}, do: [{a: {set: '${ . + $item }'}}]}}]")
    one = engine(stop_after=2)
    assert not one.runs_to_its_end(definition)
    two = engine(history=one.past)
    assert two.run(definition) == 6
    assert two.began == ["/do/0/l", "/do/0/l/do/0/a@2"]


@composite
def lists(draw, depth=2):
    nesting = ["do", "for", "try", "fork", "race", "call", "listen"]
    kinds = ["set", "skip", "end"] if depth == 0 else ["set", "skip", "end", *nesting]
    entries = []
    for index in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(kinds))
        inner = draw(lists(depth - 1)) if kind in nesting else []
        add = {"set": "${ . + 1 }", "export": {"as": "$context + ."}}
        tasks = {
            "set": add,
            "skip": {"if": ". > 3", **add},
            "end": {"if": ". > 5", **add, "then": "end"},
            "do": {"do": inner, "output": {"as": ". * 2"}},
            "fork": {"fork": {"branches": inner}, "output": {"as": "add"}},
            "race": {"fork": {"branches": inner[:1], "compete": True}},
            "call": {"call": "add"},
            "listen": {
                "listen": {"to": {"any": [], "until": "length > 1"}},
                "foreach": {"do": inner, "output": {"as": ". + $item"}, "export": {"as": "$context + $item"}},
                "output": {"as": "add"},
            },
            "for": {"for": {"in": "[1, 2]"}, "do": inner},
            "try": {
                "try": [*inner, {"fail": {"raise": {"error": {"type": "https://x.example/e", "status": 500}}}}],
                "catch": {"retry": {"limit": {"attempt": {"count": 1}}}, "do": [{"mend": add}]},
            },
        }
        entries.append({f"{kind}{index}": tasks[kind]})
    return entries


ADD = {"functions": {"add": {"do": [{"one": {"set": "${ . + 1 }"}}, {"two": {"set": "${ . * 2 }"}}]}}}
EVENTS = [{"source": "https://x.example", "id": str(number), "type": "n", "data": number} for number in range(3)]


@settings(deadline=None)
@given(tasks=lists(), cuts=st.lists(st.integers(1, 4), max_size=8), seeds=st.lists(st.integers(), min_size=10))
def test_any_definition_cut_anywhere_and_interleaved_anyhow_comes_to_the_same_end(plan, engine, tasks, cuts, seeds):
    definition = plan(repr({"use": ADD, "do": tasks}))
    whole = engine(events=EVENTS)
    output = whole.run(definition, 0)
    history, inboxes = History(), {}
    done = []
    for cut, seed in zip([*cuts, None], seeds, strict=False):
        one = engine(history=history, inboxes=inboxes, events=EVENTS, stop_after=cut, dice=Random(seed))
        ended = one.runs_to_its_end(definition, 0)
        assert not finished(history) & set(one.began)
        done += [each.reference for each in one.commits]
        history = one.past
        if ended:
            break
    assert one.output == output
    assert sorted(done) == sorted(each.reference for each in whole.commits)
