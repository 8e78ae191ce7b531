"""A number at a limit, or next to it by the last bit, has one answer by whichever call it comes."""

import pytest
from judgment_rig.client import RULESET, given
from millwright.judgment.v1 import judgment_service_pb2, replay_pb2


@pytest.mark.parametrize(
    ("rate", "rule", "judged_as"),
    [
        (0.08, "r-warm", 0.08),
        (0.08000000000000002, "r-warm", 0.08),
        (0.07999999999999999, "r-warm", 0.08),
        (0.0804999, "r-warm", 0.08),
        (0.0805001, "r-critical", 0.081),
        (0.03, "r-warm", 0.03),
        (0.029999999999999995, "r-warm", 0.03),
        (0.0294, "r-normal", 0.029),
    ],
)
async def test_a_number_at_a_limit_has_one_answer_by_every_call(client, rate, rule, judged_as):
    await client.publish(promote_to="prod")
    single = await client.judge(input=given(defect_rate=rate))
    inputs = [judgment_service_pb2.BatchInput(input=given(defect_rate=rate))]
    (batched,) = (await client.JudgeBatch(ruleset=RULESET, inputs=inputs)).results

    async def asked():
        request = judgment_service_pb2.JudgeRequest(ruleset=RULESET, input=given(defect_rate=rate))
        yield judgment_service_pb2.JudgeStreamRequest(number=1, request=request)

    (streamed,) = [answer async for answer in client.judge_stream(asked())]
    found = (await client.GetExecution(name=single.name)).execution
    answer = await client.ReplayExecution(execution=single.name, targets=[replay_pb2.Target(recorded=True)])

    executions = [single, batched.judged.execution, streamed.result.judged.execution, found, answer.original]
    assert [it.judgment.winning_rule for it in executions] == [rule] * 5
    assert [it.input.values["defect_rate"].number for it in executions] == [judged_as] * 5
    (comparison,) = answer.comparisons
    assert comparison.judgment.winning_rule == rule
