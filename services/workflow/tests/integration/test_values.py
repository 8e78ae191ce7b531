"""What instances take and give: any JSON within limits, and expressions that would run for ever."""

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from millwright.workflow.v1 import instance_pb2
from millwright_local.testing.refusals import refused
from millwright_runtime.json import to_text
from millwright_workflow.domain.sizes import VALUE_LIMIT_BYTES
from workflow_rig.client import RPCS
from workflow_rig.definitions import NAME, SET

Instance = instance_pb2.Instance
ECHO = [{"echo": {"set": {"said": "${ .said }"}}}]


def value(data):
    """Give JSON as the contract has it."""
    return json_format.ParseDict(data, Value())


async def test_an_input_of_256_kib_is_taken_and_one_byte_more_is_not(client):
    await client.release(ECHO)
    most = value({"said": "x" * 200_000})
    most.struct_value.fields["said"].string_value += "x" * (256 * 1024 - most.ByteSize())
    assert most.ByteSize() == 256 * 1024
    assert (await client.run(input=most)).state == Instance.STATE_COMPLETED
    most.struct_value.fields["said"].string_value += "x"
    refusal = await refused(client.start(input=most))
    assert refusal.kind == ("INVALID_ARGUMENT", "INPUT_TOO_LARGE")


@pytest.mark.parametrize("said", ["", "불량", "a\0b", "\u2028", "\U0001f525", 2**53, -0.5, [], {}, None, True])
async def test_any_json_goes_in_and_comes_out_as_it_is(client, said):
    await client.release(ECHO)
    ended = await client.run(input=value({"said": said}))
    assert ended.output == value({"said": said})


async def test_an_input_as_deep_as_a_message_may_be_comes_out_again(client):
    await client.release([{"echo": {"set": "${ . }"}}])
    deep = {}
    for _ in range(31):
        deep = {"a": deep}
    assert (await client.run(input=value(deep))).output == value(deep)


async def test_an_input_of_more_levels_is_refused(client):
    await client.release(SET)
    deep = []
    for _ in range(32):
        deep = [deep]
    assert (await refused(client.start(input=value(deep)))).faults == [("input", "TOO_DEEP")]


async def test_an_input_deeper_than_a_message_may_be_is_refused(client):
    await client.release(SET)
    field = RPCS["StartInstance"].input_type.fields_by_name["input"].number
    body = b""
    for _ in range(200):  # a list in a list in a list
        inner = bytes([0x0A]) + _size(len(body)) + body
        body = bytes([0x32]) + _size(len(inner)) + inner
    request = bytes([0x0A, len(NAME)]) + NAME.encode() + bytes([field << 3 | 2]) + _size(len(body)) + body
    refusal = await refused(client.send(RPCS["StartInstance"], request, token=client.token))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


def _size(number):
    """Give a number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


@pytest.mark.parametrize("levels", [40, 300, 3000])
async def test_an_output_deeper_than_a_message_may_be_faults_and_can_be_read(client, levels):
    await client.release([{"dig": {"set": {"deep": f"${{ reduce range({levels}) as $i (1; {{a: .}}) }}"}}}])
    ended = await client.run()
    assert ended.state == Instance.STATE_FAULTED
    assert ended.error.instance == "/do/0/dig"


HOSTILE = ["repeat(.)", "[range(1e12)]", '"x" * (1e9 + .zero)', "def f: f; f", "[limit(100000000; repeat(1))] | length"]


@pytest.mark.parametrize("expression", HOSTILE)
async def test_a_hostile_expression_faults_its_instance_alone(client, expression):
    await client.release([{"loop": {"set": {"x": f"${{ last({expression}) }}"}}}], SET)
    hostile = await client.start(version=1)
    assert (await client.run()).state == Instance.STATE_COMPLETED
    ended = await client.ended(hostile)
    assert ended.state == Instance.STATE_FAULTED
    assert ended.error.type.endswith("/expression")


LARGE = [{"fill": {"set": {"text": '${ "불량" * .times }'}}}]


async def test_a_checkpoint_tells_the_bytes_of_an_output_however_it_is_stored(client):
    await client.release([{"fill": {"set": {"list": "${ [range(.times)] }"}}}])
    instance = await client.run(input=value({"times": 100_000}))
    (listed,) = (await client.ListCheckpoints(instance=instance.name)).checkpoints
    kept = (await client.GetCheckpoint(instance=instance.name)).checkpoint
    assert len(kept.output.struct_value.fields["list"].list_value.values) == 100_000
    assert listed.size_bytes == kept.size_bytes == len(to_text({"list": list(range(100_000))}))


async def test_an_output_of_more_than_3_5_mib_faults_its_task_and_says_its_bytes(client):
    await client.release(LARGE)
    assert (await client.run(input=value({"times": 600_000}))).state == Instance.STATE_COMPLETED
    ended = await client.run(input=value({"times": 700_000}))
    assert (ended.state, ended.error.type.rpartition("/")[2]) == (Instance.STATE_FAULTED, "validation")
    assert str(700_000 * 6 + len('{"text":""}')) in ended.error.detail


async def test_an_output_that_grows_as_it_is_sent_is_measured_as_it_is_sent(client):
    """Its JSON has 830 kB; whoever asked for the instance could not be given it, as clients are by default."""
    await client.release([{"tile": {"set": {str(number): "${ .wave }" for number in range(18)}}}])
    ended = await client.run(input=value({"wave": [1] * 23_000}))
    assert (ended.state, ended.error.type.rpartition("/")[2]) == (Instance.STATE_FAULTED, "validation")
    assert "not 4554283" in ended.error.detail


async def test_the_largest_input_and_the_largest_output_come_in_one_answer(client):
    await client.release([{"fill": {"set": {"text": '${ "x" * .times }'}}}])
    rest = value({"text": "x" * VALUE_LIMIT_BYTES}).ByteSize() - VALUE_LIMIT_BYTES
    given = value({"times": VALUE_LIMIT_BYTES - rest, "pad": "x" * 250_000})
    ended = await client.run(input=given)
    assert (ended.state, ended.input) == (Instance.STATE_COMPLETED, given)
    assert ended.output.ByteSize() == VALUE_LIMIT_BYTES
