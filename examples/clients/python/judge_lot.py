"""Has a finished lot judged, and a workflow look into it if it is not normal. May be run again after a crash.

python judge_lot.py JUDGMENT_ENDPOINT WORKFLOW_ENDPOINT LOT DEFECT_RATE TEMPERATURE PRODUCT
"""

import json
import os
import sys
import uuid
from collections.abc import Iterator

import grpc
from google.protobuf.json_format import MessageToJson, ParseDict
from google.protobuf.struct_pb2 import Value
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from millwright.judgment.v1 import judgment_service_pb2, judgment_service_pb2_grpc
from millwright.judgment.v1.judgment_pb2 import Execution, Input, Segment
from millwright.judgment.v1.judgment_pb2 import Value as InputValue
from millwright.workflow.v1 import instance_service_pb2, instance_service_pb2_grpc
from millwright.workflow.v1.instance_pb2 import InstanceEvent

RULESET = "rulesets/quality.weld"
WORKFLOW = "workflows/quality.grade-lot"
INSPECTED = 400
ENDS = (InstanceEvent.KIND_COMPLETED, InstanceEvent.KIND_FAULTED, InstanceEvent.KIND_CANCELLED)
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "lots.plant.example")
RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.2s",
                "maxBackoff": "5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
            },
        }
    ]
}
CREDENTIALS = [("authorization", f"Bearer {os.environ['MILLWRIGHT_TOKEN']}")]


def connect(endpoint: str) -> grpc.Channel:
    """Open a channel. In plaintext it is for this machine; to another one, use secure_channel."""
    return grpc.insecure_channel(endpoint, options=[("grpc.service_config", json.dumps(RETRIES))])


def judge(endpoint: str, lot: str, defect_rate: float, temperature: float, product: str) -> Execution:
    """Have a lot judged. The same lot again gives the first answer again."""
    request = judgment_service_pb2.JudgeRequest(
        ruleset=RULESET,
        input=Input(
            values={
                "defect_rate": InputValue(number=defect_rate),
                "temperature": InputValue(number=temperature),
                "product": InputValue(text=product),
            }
        ),
        segment=Segment(product=product, unit=lot),
        idempotency_key=lot,
    )
    with connect(endpoint) as channel:
        stub = judgment_service_pb2_grpc.JudgmentServiceStub(channel)
        return stub.Judge(request, metadata=CREDENTIALS, timeout=30).execution


def start(stub: instance_service_pb2_grpc.InstanceServiceStub, lot: str, defect_rate: float) -> str:
    """Start the workflow for a lot, once however often this is called, and return the instance's name."""
    request = instance_service_pb2.StartInstanceRequest(
        workflow=WORKFLOW,
        input=ParseDict({"lot": lot, "inspected": INSPECTED, "defective": INSPECTED * defect_rate}, Value()),
        request_id=str(uuid.uuid5(NAMESPACE, lot)),
    )
    return stub.StartInstance(request, metadata=CREDENTIALS, timeout=30).instance.name


def watch(stub: instance_service_pb2_grpc.InstanceServiceStub, instance: str) -> Iterator[InstanceEvent]:
    """Give each event of an instance once, up to its end, over as many streams as that takes."""
    sequence = 0
    while True:
        request = instance_service_pb2.WatchInstanceRequest(name=instance, from_sequence=sequence)
        try:
            for message in stub.WatchInstance(request, metadata=CREDENTIALS):
                sequence = message.sequence
                if message.WhichOneof("message") == "event":
                    yield message.event
                    if message.event.kind in ENDS:
                        return
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise


def reason(error: grpc.RpcError) -> str:
    """Say why a call was refused: the reason, and what it is about."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                if detail.Unpack(info):
                    return f"{info.reason} {dict(info.metadata)}"
    return f"{error.code().name} {error.details()}"


def main(judgment: str, workflow: str, lot: str, defect_rate: str, temperature: str, product: str) -> None:
    """Judge the lot, and follow it up if need be."""
    judged = judge(judgment, lot, float(defect_rate), float(temperature), product).judgment
    print(f"{lot}: {judged.outcome}, by rule {judged.winning_rule}: {judged.explanations['en']}")
    if judged.outcome == "normal":
        return
    with connect(workflow) as channel:
        stub = instance_service_pb2_grpc.InstanceServiceStub(channel)
        name = start(stub, lot, float(defect_rate))
        for event in watch(stub, name):
            print(f"{event.sequence} {InstanceEvent.Kind.Name(event.kind).removeprefix('KIND_')} {event.task}".rstrip())
        got = stub.GetInstance(instance_service_pb2.GetInstanceRequest(name=name), metadata=CREDENTIALS, timeout=30)
        print(MessageToJson(got.instance.output, indent=None))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except grpc.RpcError as error:
        sys.exit(f"refused: {reason(error)}")
