"""A client of the whole API of the judgment service."""

import json

from judgment_samples.documents import weld
from millwright.judgment.v1 import (
    experiment_service_pb2,
    judgment_pb2,
    judgment_service_pb2,
    release_service_pb2,
    replay_service_pb2,
    ruleset_service_pb2,
)
from millwright_local.testing.client import ContractClient, rpcs_of

RPCS = rpcs_of(
    (
        ruleset_service_pb2,
        release_service_pb2,
        judgment_service_pb2,
        replay_service_pb2,
        experiment_service_pb2,
    )
)
RULESET = "rulesets/line.weld"
PROD = f"{RULESET}/channels/prod"


def version(number):
    """The name of a version of the weld line's ruleset."""
    return f"{RULESET}/versions/{number}"


WARM = {"defect_rate": 0.05, "temperature": 80.0, "product": "widget"}
"""An input that rule `r-warm` decides: a warning."""


def given(**changes):
    """An input, as the weld line gives one, with other values; None is null."""
    return judgment_pb2.Input(values={name: value(each) for name, each in {**WARM, **changes}.items()})


def value(plain):
    """A value of an input."""
    match plain:
        case None:
            return judgment_pb2.Value()
        case bool():
            return judgment_pb2.Value(flag=plain)
        case str():
            return judgment_pb2.Value(text=plain)
    return judgment_pb2.Value(number=plain)


class Client(ContractClient):
    """Calls the judgment service: `await client.GetRuleset(name=…)`; and does what tests do often."""

    rpcs = RPCS

    async def publish(self, semver="1.0.0", promote_to="", **changes):
        """Publish a version of the weld line's ruleset; `changes` are keys of the document."""
        document = json.dumps(weld(version=semver, **changes))
        return await self.PublishVersion(document=document, promote_to=promote_to)

    async def release(self, count):
        """Publish versions 1, 2, …, each promoted to `prod` in turn."""
        for number in range(1, count + 1):
            await self.publish(f"{number}.0.0", promote_to="prod", titles={"en": f"Weld line {number}"})

    async def judge(self, ruleset=RULESET, **fields):
        """Judge one input of the weld line, and give the execution."""
        return (await self.Judge(**{"ruleset": ruleset, "input": given(), **fields})).execution

    async def upload(self, requests):
        """Send a data set, message by message."""
        stub = self.channel.stream_unary(
            "/millwright.judgment.v1.ReplayService/UploadDataset",
            replay_service_pb2.UploadDatasetRequest.SerializeToString,
            replay_service_pb2.UploadDatasetResponse.FromString,
        )
        return await stub(requests, metadata=[("authorization", f"Bearer {self.token}")])

    def judge_stream(self, requests):
        """Open a stream of judgments."""
        path = "/millwright.judgment.v1.JudgmentService/JudgeStream"
        stub = self.channel.stream_stream(
            path,
            judgment_service_pb2.JudgeStreamRequest.SerializeToString,
            judgment_service_pb2.JudgeStreamResponse.FromString,
        )
        return stub(requests, metadata=[("authorization", f"Bearer {self.token}")])

    async def rollback(self, **fields):
        """Roll `prod` back."""
        return await self.RollbackVersion(**{"channel": PROD, "reason": "it is blind", **fields})

    async def operations(self):
        """The operations of the release log, the oldest first."""
        listed = await self.ListReleases(ruleset=RULESET)
        name = listed.releases[0].Operation.Name
        return [name(release.operation).removeprefix("OPERATION_") for release in reversed(listed.releases)]
