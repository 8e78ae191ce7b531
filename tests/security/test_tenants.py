"""What one tenant has is hidden from all others and cannot be changed by them, whatever RPC they try."""

import re
from dataclasses import replace

import pytest
from google.protobuf.message_factory import GetMessageClass

from tests.end_to_end.curl.calls import CALLS
from tests.security.contract import ROLES
from tests.security.walking import OWN, Walk

pytestmark = pytest.mark.timeout(600)  # the first test of a service waits for its whole walk

# What a walk leaves out, and why.
APART = {"WorkerService/StreamWork": "only who is handed an item knows its name, so that a test of its own tries it"}
WALKED = {
    service: [call for call in calls if not call.is_refused and call.name not in APART]
    for service, calls in CALLS.items()
}
RPCS = [(service, name) for service, calls in WALKED.items() for name in dict.fromkeys(call.name for call in calls)]
# What is never the same twice: identifiers, times, and how fast an install is.
UNIQUE = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r'|"(sequence|percent|rate|secondsLeft|stepsDone|stepsTotal)": [^,\n]*'
)


@pytest.fixture(scope="module")
def walked(serve, token):
    """Gives the walk through a service, that is made once."""
    walks = {}

    async def walked(service):
        if service not in walks:
            async with serve(service) as contract:
                walks[service] = Walk(contract, token)
                await walks[service].through(WALKED[service])
        return walks[service]

    return walked


def is_in_the_dark(attempt):
    """Tell whether a stranger was told of nothing but what is his own, which is as if nobody else had anything."""
    told, alone = attempt.told, attempt.told_alone
    if alone is None:
        return told.code == "NOT_FOUND" or (told.code == "OK" and not any(each.ByteSize() for each in told.messages))
    return alone.code in {"OK", "NOT_FOUND"} and likeness(told) == likeness(alone)


def likeness(answer):
    """Give an answer without what is never the same twice; of a stream, how it begins and ends."""
    shown = replace(answer, messages=(*answer.messages[:1], *answer.messages[-1:]))
    return answer.code, answer.reason, UNIQUE.sub("…", shown.text)


@pytest.mark.parametrize(("service", "rpc"), RPCS)
async def test_a_stranger_is_told_nothing_and_changes_nothing_of_what_another_tenant_has(walked, service, rpc):
    walk = await walked(service)
    assert not [(call, answer) for call, answer in walk.unshown if call.name == rpc]
    attempts = [attempt for attempt in walk.attempts if attempt.call.name == rpc]
    assert attempts
    for attempt in attempts:
        assert is_in_the_dark(attempt), attempt
        assert not attempt.changed, attempt


async def test_every_rpc_is_tried_by_a_stranger(contract):
    served = {f"{method.containing_service.name}/{method.name}" for method in contract.methods}
    service = contract.package.split(".")[1]
    assert served == {name for each, name in RPCS if each == service} | (served & APART.keys())
    assert APART.keys() | OWN.keys() <= {call.name for calls in CALLS.values() for call in calls}


@pytest.mark.parametrize("contract", ["workflow"], indirect=True)
async def test_work_goes_to_the_workers_of_its_tenant_and_only_they_report_on_it(contract, token):
    owner, stranger = (token(tenant=tenant, roles=ROLES) for tenant in ("owner-of-work", "stranger-to-work"))

    async def ask(rpc, **fields):
        method = contract.find(rpc)
        return (await contract.call(method, owner, GetMessageClass(method.input_type)(**fields))).message

    method = contract.find("StreamWork")
    message = GetMessageClass(method.input_type)

    async def worker(bearer):
        """Give the stream of a worker who waits for an item; those of both tenants have one name and one queue."""
        stream = contract.begin(method, bearer)
        await stream.write(message(open={"worker": "one", "queues": ["packing"]}).SerializeToString())
        await stream.write(message(credit=1).SerializeToString())
        return stream

    async def completes(stream, item):
        """Report on an item, and give what is said next."""
        await stream.write(message(complete={"id": item}).SerializeToString())
        return (await stream.read()).settled

    waiting = await worker(stranger)
    await ask("PublishVersion", definition=PACK, promote_to="prod")
    instance = (await ask("StartInstance", workflow="workflows/owned.pack")).instance.name
    working = await worker(owner)
    item = (await working.read()).item
    assert item.instance == instance
    await working.write(message(acknowledge=item.id).SerializeToString())
    settled = await completes(waiting, item.id)
    assert (settled.id, settled.accepted) == (item.id, False)
    settled = await completes(working, item.id)
    assert (settled.id, settled.accepted) == (item.id, True)


PACK = """
document: {dsl: 1.0.1, namespace: owned, name: pack, version: 1.0.0}
do: [{pack: {call: task, with: {queue: packing}}}]
"""
