"""The `try` task: what it catches, how often it tries again, and what it does instead."""

import pytest
from millwright_workflow.domain.definition.parts import Backoff
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.retry import LONGEST_DELAY_SECONDS, grow_delay
from millwright_workflow.domain.interpreter.visit import Scope

MES = "http://mes.example/orders"
COMMUNICATION = "https://serverlessworkflow.io/spec/1.0.0/errors/communication"


def attempt(catch):
    call = f"[{{ask: {{call: http, with: {{method: get, endpoint: {MES}}}}}}}]"
    return f"do: [{{t: {{try: {call}, catch: {catch}}}}}]"


def test_without_an_error_the_try_gives_what_its_tasks_give(run, reply):
    assert run(attempt("{}"), answers={MES: reply({"open": 3})}) == {"open": 3}


def test_a_caught_error_is_handled_by_tasks_that_know_it_by_name(run, reply):
    text = attempt(
        f"{{errors: {{with: {{type: {COMMUNICATION}, status: 404}}}}, as: e, do: [{{n: {{set: '${{ $e }}'}}}}]}}"
    )
    error = run(text, answers={MES: reply(status=404)})
    assert error == {
        "type": COMMUNICATION,
        "status": 404,
        "title": "Not Found",
        "detail": f"GET {MES} answered 404.",
        "instance": "/do/0/t/try/0/ask",
    }


def test_the_earlier_spelling_of_a_standard_type_catches_it_too(run, reply):
    earlier = "https://serverlessworkflow.io/dsl/errors/types/communication"
    assert run(attempt(f"{{errors: {{with: {{type: {earlier}}}}}}}"), 1, answers={MES: reply(status=503)}) == 1


@pytest.mark.parametrize(
    "catch",
    [
        "{errors: {with: {status: 503}}}",
        "{errors: {with: {type: https://x.example/other}}}",
        "{errors: {with: {title: Gone}}}",
        "{errors: {with: {details: other}}}",
        "{errors: {with: {instance: /do/9/x}}}",
        "{when: $error.status == 500}",
        "{exceptWhen: $error.status == 404}",
    ],
)
def test_an_error_that_is_not_meant_goes_on_up(fault_of, reply, catch):
    assert fault_of(attempt(catch), answers={MES: reply(status=404)}).status == 404


@pytest.mark.parametrize(
    "catch",
    [
        "{errors: {with: {title: Not Found, status: 404, instance: /do/0/t/try/0/ask}}}",
        "{when: $error.status == 404, exceptWhen: $error.status == 500}",
        "{as: e, when: $e.title == .title}",
    ],
)
def test_an_error_caught_without_a_handler_leaves_the_input_as_output(run, reply, catch):
    data = {"title": "Not Found"}
    assert run(attempt(catch), data, answers={MES: reply(status=404)}) == data


def test_a_failed_transport_is_caught_like_any_error(run):
    down = errors.communication("/do/0/t/try/0/ask", "No route to the host.")
    assert run(attempt("{do: [{n: {set: {d: '${ $error.detail }'}}}]}"), answers={MES: down}) == {
        "d": "No route to the host."
    }


def test_retries_wait_longer_each_time_until_one_succeeds(plan, engine, reply):
    one = engine(answers={MES: [reply(status=503)] * 3 + [reply({"ok": True})]})
    policy = "{delay: {seconds: 2}, backoff: {exponential: {}}, limit: {attempt: {count: 5}}}"
    assert one.run(plan(attempt(f"{{retry: {policy}}}"))) == {"ok": True}
    assert [each.seconds for each in one.retries] == [2, 4, 8]
    assert [each for each in one.began if "ask" in each] == [f"/do/0/t/try/0/ask@{n}" for n in range(4)]


@pytest.mark.parametrize(
    ("shape", "delays"), [("constant", [3, 3, 3]), ("linear", [3, 6, 9]), ("exponential", [3, 6, 12])]
)
def test_a_backoff_grows_as_its_name_says(shape, delays):
    backoff = Backoff.model_validate({shape: {}})
    assert [grow_delay(3, backoff, attempt) for attempt in range(3)] == delays


def test_no_backoff_grows_without_end():
    assert grow_delay(1, Backoff.model_validate({"exponential": {}}), 10**6) == LONGEST_DELAY_SECONDS


def test_the_count_is_of_attempts_after_the_first(plan, engine, reply):
    one = engine(answers={MES: reply(status=503)})
    text = attempt("{retry: {limit: {attempt: {count: 2}}}, do: [{gave_up: {set: {tried: true}}}]}")
    assert one.run(plan(text)) == {"tried": True}
    assert len(one.calls) == 3


def test_an_error_that_outlives_its_retries_without_a_handler_goes_on_up(fault_of, reply):
    assert fault_of(attempt("{retry: {limit: {attempt: {count: 2}}}}"), answers={MES: reply(status=503)}).status == 503


def test_a_retry_that_would_start_past_the_duration_limit_is_not_granted(plan, engine, reply):
    one = engine(answers={MES: reply(status=503)})
    one.run(plan(attempt("{retry: {delay: PT4S, limit: {duration: PT10S}}, do: [{n: {set: {n: 1}}}]}")))
    assert len(one.calls) == 3


def test_a_policy_may_be_named_and_carries_its_jitter_and_conditions(plan, engine, reply):
    text = """
use:
  retries:
    patient:
      when: $error.status == 503
      exceptWhen: .urgent
      delay: ${ .delay }
      jitter: {from: {seconds: 1}, to: {seconds: 3}}
      limit: {attempt: {count: 1}}
"""
    text += attempt("{retry: patient, do: [{n: {set: {n: 1}}}]}")
    one, urgent, other = (engine(answers={MES: reply(status=status)}) for status in (503, 503, 500))
    one.run(plan(text), {"delay": "PT6S"})
    urgent.run(plan(text), {"delay": "PT6S", "urgent": True})
    other.run(plan(text), {"delay": "PT6S"})
    assert [(each.seconds, each.jitter) for each in one.retries] == [(6, (1, 3))]
    assert (urgent.retries, other.retries) == ([], [])


def test_each_attempt_may_have_a_time_limit(plan, engine):
    text = """
do:
- t:
    try: [{w: {wait: '${ .pause }'}}]
    catch:
      retry: {limit: {attempt: {count: 1, duration: PT5S}}}
      do: [{n: {set: {late: '${ $error.status }'}}}]
"""
    one = engine()
    assert one.run(plan(text), {"pause": "PT9S"}) == {"late": 408}
    assert len(one.waits) == 2
    assert engine().run(plan(text), {"pause": "PT4S"}) == {"pause": "PT4S"}


def test_a_fault_in_the_handler_faults_and_is_not_caught_by_the_same_try(fault_of, reply):
    broken = "{do: [{n: {raise: {error: {type: https://x.example/worse, status: 500}}}}]}"
    assert fault_of(attempt(broken), answers={MES: reply(status=404)}).instance == "/do/0/t/catch/do/0/n"


def test_an_outer_try_catches_what_the_handler_of_an_inner_one_raises(run):
    boom = "{raise: {error: {type: https://x.example/%s, status: 500}}}"
    inner = f"{{try: [{{a: {boom % 'first'}}}], catch: {{do: [{{b: {boom % 'second'}}}]}}}}"
    text = f"do: [{{o: {{try: [{{i: {inner}}}], catch: {{do: [{{c: {{set: '${{ $error.type }}'}}}}]}}}}}}]"
    assert run(text) == "https://x.example/second"


def test_what_a_failed_attempt_exported_is_known_to_the_handler(run):
    text = """
do:
- t:
    try:
    - reserve: {set: {id: 42}, export: {as: '{reserved: .id}'}}
    - pay: {raise: {error: {type: https://x.example/refused, status: 402}}}
    catch: {do: [{release: {set: {released: '${ $context.reserved }'}}}]}
"""
    assert run(text) == {"released": 42}


def test_end_inside_a_try_or_its_handler_ends_the_workflow(run):
    fail = "{raise: {error: {type: https://x.example/e, status: 500}}}"
    assert run("do: [{t: {try: [{a: {set: {n: 1}, then: end}}], catch: {}}}, {never: {set: {n: 2}}}]") == {"n": 1}
    handler = "{do: [{b: {set: {n: 1}, then: end}}]}"
    assert run(f"do: [{{t: {{try: [{{a: {fail}}}], catch: {handler}}}}}, {{z: {{set: {{n: 2}}}}}}]") == {"n": 1}


def test_every_attempt_is_the_same_operation_and_every_round_another():
    scope = Scope().enter_round(3, {}).enter_attempt(0, {}).enter_round(1, {})
    again = Scope().enter_round(3, {}).enter_attempt(2, {}).enter_round(1, {})
    elsewhere = Scope().enter_round(4, {}).enter_attempt(0, {}).enter_round(1, {})

    operations = [place.refer("/do/0/ask").operation for place in (scope, again, elsewhere)]

    assert operations == ["/do/0/ask@3.1", "/do/0/ask@3.1", "/do/0/ask@4.1"]
