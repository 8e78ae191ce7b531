"""Templates: each expression replaced by its value, or the same fault, wherever it is evaluated."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from millwright_workflow.domain.interpreter import Evaluate, WorkflowFault
from millwright_workflow.engine.sandbox.expressions import Expressions, expressions_in, prepare
from millwright_workflow.engine.sandbox.pool import Sandbox

SANDBOXED = "first(range(1)) as $x | "
"""Put before an expression, it keeps what it gives and cannot be proven cheap."""


@pytest.fixture(scope="module")
async def expressions():
    """Expressions with a sandbox of one process."""
    sandbox = Sandbox(1)
    yield Expressions(sandbox)
    await sandbox.close()


@pytest.fixture
def evaluate(expressions):
    """Give a function that evaluates a template."""

    async def evaluate(template, data=None, **variables):
        return await expressions.evaluate(Evaluate(template, data, variables, "/do/0/a"))

    return evaluate


async def test_expressions_are_replaced_wherever_they_stand(evaluate):
    template = {"a": "${ .x }", "b": ["${ .x + 1 }", {"c": "plain"}], "d": 4}
    assert await evaluate(template, {"x": 1}) == {"a": 1, "b": [2, {"c": "plain"}], "d": 4}


async def test_keys_are_no_expressions(evaluate):
    assert await evaluate({"${ .x }": 1}) == {"${ .x }": 1}


WHERE = pytest.mark.parametrize("prefix", ["", SANDBOXED], ids=["here", "in the sandbox"])


@WHERE
async def test_variables_are_known(evaluate, prefix):
    assert await evaluate(f"${{ {prefix}[$input.a, $context] }}", None, input={"a": 1}, context="c") == [1, "c"]


@WHERE
async def test_a_fault_names_the_place_and_the_expression(evaluate, prefix):
    with pytest.raises(WorkflowFault) as caught:
        await evaluate(f"${{ {prefix}.a }}", 1)
    error = caught.value.error
    assert error.type.endswith("/expression")
    assert error.instance == "/do/0/a"
    assert error.detail.startswith(f"{prefix}.a: ")


@WHERE
async def test_the_service_s_own_environment_is_out_of_reach(evaluate, monkeypatch, prefix):
    monkeypatch.setenv("MILLWRIGHT_SECRET", "hidden")
    for program in ("$ENV.MILLWRIGHT_SECRET", "env.MILLWRIGHT_SECRET", "env", "$ENV"):
        try:
            value = await evaluate(f"${{ {prefix}{program} }}")
        except WorkflowFault:
            continue
        assert value in (None, {})


async def test_a_comment_does_not_swallow_what_is_around_it(evaluate):
    assert await evaluate("${ .x # the measure }", {"x": 1}) == 1


def test_what_is_cheap_runs_here_and_what_is_not_in_the_sandbox():
    assert prepare(".x.y", frozenset()).compiled is not None
    assert prepare("[range(10)]", frozenset()).compiled is None


def test_a_program_takes_the_variables_that_it_uses_alone():
    assert prepare("$input.a + .b", frozenset({"input", "context", "task"})).names == ("input",)


def test_expressions_come_depth_first():
    assert list(expressions_in(["${ 1 }", {"a": "${ 2 }", "b": "x"}])) == ["1", "2"]


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=50, deadline=None)
@given(data=json)
async def test_data_passes_through_unchanged_here_and_in_the_sandbox(expressions, data):
    for expression in ("${ . }", f"${{ {SANDBOXED}. }}"):
        assert await expressions.evaluate(Evaluate(expression, data, {}, "/do/0/a")) == data
