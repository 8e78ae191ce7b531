"""Going on with another version."""

import pytest
from millwright_workflow.domain.interpreter.compatibility import compare

BEFORE = """
do:
- a: {set: {n: 1}}
- l:
    for: {in: '[1, 2, 3]'}
    do: [{b: {set: '${ . }'}}, {c: {set: '${ . }'}}]
- t: {try: [{d: {set: {n: 4}}}, {e: {wait: PT1S}}], catch: {do: [{h: {set: {n: 5}}}]}}
"""


def verdict(plan, engine, after, stop_after, before=BEFORE, begun=()):
    source = plan(before)
    one = engine(stop_after=stop_after)
    one.runs_to_its_end(source)
    return compare(source, plan(after), one.past, begun)


def found(verdict):
    return [(obstacle.reference, obstacle.hindrance.value, obstacle.pointer) for obstacle in verdict.obstacles]


def test_a_version_that_changes_only_what_is_to_come_takes_over(plan, engine):
    after = BEFORE.replace("{n: 4}", "{n: 40}").replace("{c: {set: '${ . }'}}", "{c: {set: '${ .n }'}}")
    same = verdict(plan, engine, after + "- z: {set: {n: 9}}", 2)
    assert same.is_compatible
    assert list(same.common.results) == ["/do/0/a", "/do/1/l/do/0/b@0"]


@pytest.mark.parametrize(
    ("written", "instead", "obstacle"),
    [
        ("{n: 1}", "{n: 2}", ("/do/0/a", "CHANGED", "/do/0/a")),
        ("- a:", "- first: {set: {n: 0}}\n- a:", ("/do/0/a", "MOVED", "/do/1/a")),
        ("- a:", "- renamed:", ("/do/0/a", "REMOVED", None)),
        ("'[1, 2, 3]'", "'[1]'", ("/do/1/l/do/0/b@0", "SURROUNDINGS_CHANGED", "/do/1/l")),
        ("[{b:", "[{x: {wait: PT1S}}, {b:", ("/do/1/l/do/0/b@0", "MOVED", "/do/1/l/do/1/b")),
    ],
)
def test_what_has_finished_must_stand_where_it_stood_and_be_what_it_was(plan, engine, written, instead, obstacle):
    assert found(verdict(plan, engine, BEFORE.replace(written, instead), 3))[0] == obstacle


def test_what_is_applied_once_a_task_finishes_may_change_while_it_has_not(plan, engine):
    after = BEFORE.replace("    for:", "    timeout: {after: PT9S}\n    output: {as: '.n'}\n    for:")
    assert verdict(plan, engine, after, 2).is_compatible


def test_nothing_inside_of_what_has_finished_counts(plan, engine):
    before = "use: {functions: {f: {do: [{x: {set: {n: 1}}}]}}}\ndo: [{a: {call: f}}, {b: {wait: PT1S}}]"
    assert verdict(plan, engine, before.replace("n: 1", "n: 2"), 3, before).is_compatible
    assert found(verdict(plan, engine, before.replace("n: 1", "n: 2"), 1, before)) == [
        ("/do/0/a/call/do/0/x", "CHANGED", "/do/0/a/call/do/0/x")
    ]


def test_the_common_beginning_ends_before_the_first_obstacle(plan, engine):
    after = BEFORE.replace("{c: {set: '${ . }'}}", "{c: {set: '${ .n }'}}")
    common = verdict(plan, engine, after, 5).common
    assert list(common.results) == ["/do/0/a", "/do/1/l/do/0/b@0"]
    two = engine(history=common)
    two.run(plan(after.replace("${ .n }", "${ . }")))
    assert "/do/0/a" not in two.began


def test_a_try_that_has_failed_an_attempt_must_be_the_same(plan, engine):
    before = """
do:
- t: {try: [{a: {set: {n: 1}}}, {r: {raise: {error: {type: 'https://x.example/e', status: 500}}}}], catch: {do: [
    {h: {set: {n: 2}}}, {i: {set: {n: 3}}}]}}
"""
    after = before.replace("{n: 3}", "{n: 4}")
    got = verdict(plan, engine, after, 3, before)
    assert found(got) == [("/do/0/t", "CHANGED", "/do/0/t")]
    assert got.common.results == {}
    assert verdict(plan, engine, before, 3, before).common.failures


def test_what_has_begun_and_is_kept_elsewhere_must_be_the_same(plan, engine):
    after = BEFORE.replace("PT1S", "PT2S")
    begun = ["/do/2/t/try/1/e@0"]
    assert verdict(plan, engine, after, 9).is_compatible
    assert found(verdict(plan, engine, after, 9, begun=begun)) == [(begun[0], "CHANGED", "/do/2/t/try/1/e")]


def test_a_long_history_is_compared_in_time(plan, engine):
    before = """
do:
- l:
    for: {in: '[range(2000)]'}
    do: [{o: {do: [{b: {set: '${ . }'}}]}}]
- z: {wait: PT1S}
"""
    got = verdict(plan, engine, before.replace("{set: '${ . }'}", "{set: {n: 1}}"), 3_000, before)
    assert len(got.obstacles) == 1_500
    assert {obstacle.reference.partition("@")[0] for obstacle in got.obstacles} == {"/do/0/l/do/0/o"}
