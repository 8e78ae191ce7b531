"""The `set` task."""


def test_set_evaluates_expressions_wherever_they_stand_and_keeps_the_rest(run):
    text = "do: [{a: {set: {kind: bolt, sizes: ['${ .d }', 8], deep: {l: '${ .l }'}}}}]"
    assert run(text, {"d": 6, "l": 40}) == {"kind": "bolt", "sizes": [6, 8], "deep": {"l": 40}}


def test_set_drops_what_the_input_held(run):
    assert run("do: [{a: {set: {n: 1}}}]", {"old": True}) == {"n": 1}


def test_set_may_be_one_expression(run):
    assert run("do: [{a: {set: '${ .parts[1] }'}}]", {"parts": [1, 2]}) == 2


def test_data_without_expressions_is_not_evaluated(plan, engine):
    one = engine()
    assert one.run(plan("do: [{a: {set: {n: 1, text: 'costs $5'}}}]")) == {"n": 1, "text": "costs $5"}
    assert one.evaluations == []


def test_a_task_brings_the_same_template_at_every_visit(plan, engine):
    one = engine()
    one.run(plan("do: [{l: {for: {in: '[1, 2]'}, do: [{a: {set: {n: '${ $item }'}}}]}}]"))
    assert len({id(each.template) for each in one.evaluations if each.instance.endswith("/a")}) == 1
