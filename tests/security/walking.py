"""A walk through all that a service serves: the owner of a plant makes each call, and strangers make the same ones.

That the owner is answered as the call should be shows that it is complete and valid, and that what it names is there.
Each stranger is of a tenant of his own that makes this one call, so that nothing else which shows up is his.
"""

import asyncio
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from millwright_local.processes import until

from tests.end_to_end.curl.cases import Call, names, plain
from tests.security.contract import ROLES, Answer, Contract, is_read

LATE_SECONDS = 10.0
_NOW = re.compile(r'"reportTime": .*')
# What names nothing that another tenant could have, and what a stranger is given by it.
OWN = {
    "WorkflowService/PublishVersion": "a workflow of his own",
    "EventService/PublishEvents": "events of his own",
    "CatalogueService/ListCircuits": "the functions that all tenants share",
    "RulesetService/SaveDraft": "a draft of his own",
    "RulesetService/PublishVersion": "a ruleset of his own",
    "RulesetService/ImportDecision": "a document that is made of what he sends, and is not kept",
    "JudgmentService/JudgeStream": "the refusal of each input, as its answer",
    "IngestService/IngestBatch": "rows of his own",
    "IngestService/IngestRecords": "a stream of his own",
    "IngestService/GenerateRecords": "rows that are made up",
    "PipelineService/RunPipeline": "a run of his own",
    "PipelineService/Backfill": "a run of his own",
    "PipelineService/ListQualityRules": "the rules that are built in",
    "PipelineService/SaveQualityRule": "a rule of his own",
    "ProductionService/QueryProduction": "the sum of no facts",
    "ProductionService/SaveDimensionMember": "a member of his own",
    "ProductionService/GetPlantCalendar": "the calendar that plants begin with",
    "ProductionService/SavePlantCalendar": "a calendar of his own",
    "ModuleService/CreateUpload": "an upload of his own, of which nothing is there",
    "ModuleService/UploadAndInstall": "an upload and an operation of his own",
    "ModuleService/AddSigningKey": "a key of his own",
    "ModuleService/GetSignaturePolicy": "the policy that plants begin with",
    "ModuleService/SetSignaturePolicy": "a policy of his own",
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call of the owner's that a stranger made."""

    call: Call
    told: Answer
    """What the stranger was told."""
    told_alone: Answer | None
    """What one was told before anybody had anything, of what gives a stranger something of his own."""
    changed: tuple[str, ...]
    """What the owner was told otherwise afterwards."""


class Walk:
    """One walk, and what came of it."""

    def __init__(self, contract: Contract, token: Callable[..., str]) -> None:
        """Walk through what is served in `contract`, with tokens that `token` signs."""
        self.attempts: list[Attempt] = []
        self.unshown: list[tuple[Call, Answer]] = []
        """The owner's calls that were not answered as they should be, so that the attempts prove nothing."""
        self._contract = contract
        self._methods = {f"{each.containing_service.name}/{each.name}": each for each in contract.methods}
        self._token = token
        self._owner = self._bearer("owner")
        self._known: dict[str, str] = {}
        self._alone: dict[str, Answer] = {}
        self._reads: dict[str, tuple[MethodDescriptor, list[Message]]] = {}

    async def through(self, calls: Sequence[Call]) -> None:
        """Make each call. A stranger tries to read what the owner has just read, and to change what he is about to.

        What gives a stranger something of his own he makes when the owner has made the same and is at rest: before the
        next change.
        """
        self._alone = {_key(call): await self._as_stranger(call) for call in calls if call.name in OWN}
        made: list[Call] = []
        for call in calls:
            if self._only_reads(call):
                await self._as_owner(call)
                await self._attempt(call)
                continue
            while made:
                await self._attempt(made.pop(0))
            if call.name in OWN:
                made.append(call)
            else:
                await self._attempt(call)
            await self._as_owner(call)
        for call in made:
            await self._attempt(call)

    async def _attempt(self, call: Call) -> None:
        before = {} if self._only_reads(call) else await self._read_again()
        told = await self._as_stranger(call)
        after = await self._read_again() if before else {}
        changed = tuple(read for read, answer in before.items() if after[read] != answer)
        self.attempts.append(Attempt(call, told, self._alone.get(_key(call)), changed))

    async def _as_stranger(self, call: Call) -> Answer:
        method, sent = self._request(call)
        is_enough = _never if call.name in OWN else bool
        return await self._contract.call(method, self._bearer("stranger"), *sent, is_enough=is_enough)

    async def _as_owner(self, call: Call) -> None:
        method, sent = self._request(call)
        answer = Answer("")

        def shows(text: str) -> bool:
            return plain(call.sign) in plain(text)

        is_enough = shows if call.is_endless else _never

        async def has_shown() -> bool:
            nonlocal answer
            answer = await self._contract.call(method, self._owner, *sent, is_enough=is_enough)
            return shows(answer.text)

        with suppress(TimeoutError):
            await (until(has_shown, LATE_SECONDS) if call.is_late else has_shown())
        if not shows(answer.text):
            self.unshown.append((call, answer))
        if self._only_reads(call) and not method.server_streaming:
            self._reads[f"{call.name} {call.text(self._known)}"] = method, sent
        self._known.update(names(answer.text))

    async def _read_again(self) -> dict[str, tuple[str, str]]:
        """Give what the owner is told now of all that he has read, without the time of day."""
        calls = (self._contract.call(method, self._owner, *sent) for method, sent in self._reads.values())
        answers = await asyncio.gather(*calls)
        told = ((answer.reason, _NOW.sub("", answer.text)) for answer in answers)
        return dict(zip(self._reads, told, strict=True))

    def _request(self, call: Call) -> tuple[MethodDescriptor, list[Message]]:
        method = self._methods[call.name]
        request = GetMessageClass(method.input_type)
        return method, [json_format.Parse(line, request()) for line in call.text(self._known).splitlines()]

    def _only_reads(self, call: Call) -> bool:
        method = self._methods[call.name]
        return is_read(method) or method.name.startswith(("Get", "List"))

    def _bearer(self, kind: str) -> str:
        return self._token(tenant=f"{kind}-{uuid.uuid4().hex[:8]}", roles=ROLES)


def _key(call: Call) -> str:
    return f"{call.rpc} {call.text({})}"


def _never(_: str) -> bool:
    return False
