"""Canaries as the tests begin them, and keys that are known to draw them or not."""

import itertools

from google.protobuf.duration_pb2 import Duration
from millwright.workflow.v1 import release_pb2
from millwright_local.processes import until
from millwright_workflow.domain.canaries import bucket

from workflow_rig.definitions import NAME, PROD

Canary, GateResult, Release = release_pb2.Canary, release_pb2.GateResult, release_pb2.Release
WORKFLOW = NAME.partition("/")[2]


def step(weight_bp=5000, *gates, min_instances=5, seconds=0):
    """Give a step with gates such as `{"min_success_rate": 0.9}`."""
    return release_pb2.CanaryStep(
        weight_bp=weight_bp, min_duration=Duration(seconds=seconds), min_instances=min_instances, gates=gates
    )


class Trial:
    """A canary of `plant.line` that a client has begun on `prod`."""

    def __init__(self, client, channel):
        """Take the channel as the start of the canary answered it."""
        self.client = client
        self.channel = channel
        self._canary = channel.canary
        self._numbers = itertools.count()

    def keys(self, count, *, is_drawn=True):
        """Give routing keys that draw the canary at its first step, or do not; other ones each time."""
        canary = self._canary
        keys = (f"lot-{number}" for number in self._numbers)
        weight_bp = canary.steps[0].weight_bp
        wanted = (key for key in keys if (bucket(WORKFLOW, "prod", canary.revision, key) < weight_bp) == is_drawn)
        return list(itertools.islice(wanted, count))

    async def run(self, count, *, is_drawn=True):
        """Run instances that draw the canary, or do not, to their ends; give them."""
        names = [await self.client.start(routing_key=key) for key in self.keys(count, is_drawn=is_drawn)]
        return [await self.client.ended(name) for name in names]

    async def next_release(self):
        """Wait for the next row of the log, and give it."""
        answer = await self.client.ListReleaseEvents(
            workflow=NAME, from_sequence=self.channel.revision, wait=Duration(seconds=15), page_size=1
        )
        (release,) = answer.releases
        self.channel = await self.now()
        return release

    async def now(self):
        """Give the channel as it is."""
        return (await self.client.GetChannel(name=PROD)).channel

    async def held(self):
        """Wait until the canary is held, and give it."""

        async def is_held():
            return (await self.now()).canary.state == Canary.STATE_HELD

        await until(is_held, 15)
        return (await self.now()).canary


async def begin(client, *steps, **fields):
    """Begin a canary of version 2 on `prod`."""
    answer = await client.StartCanary(**{"channel": PROD, "version": 2, "steps": steps, **fields})
    return Trial(client, answer.channel)
