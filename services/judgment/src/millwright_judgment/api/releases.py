"""ReleaseService: moving channels between versions, and the history of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from millwright.judgment.v1 import release_service_pb2 as pb
from millwright.judgment.v1 import release_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, fields, messages, pages
from millwright_runtime.events import watch
from millwright_runtime.events.log import EventLog
from millwright_runtime.events.watch import Feed
from millwright_runtime.names import check_label
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_judgment.api import requests, responses
from millwright_judgment.api.marking import mark
from millwright_judgment.commands import releasing
from millwright_judgment.domain import names, releases
from millwright_judgment.domain.releases import Decision, Release
from millwright_judgment.store import releases as store
from millwright_judgment.store import rulesets

_PAST_ALL_REVISIONS = 2**63 - 1


class ReleaseServicer(pb_grpc.ReleaseServiceServicer):
    """Serves ReleaseService."""

    def __init__(self, platform: Platform, log: EventLog) -> None:
        self._platform = platform
        self._log = log

    async def PromoteVersion(self, request: pb.PromoteVersionRequest, _context: Any) -> pb.PromoteVersionResponse:
        """Point a channel to a version."""
        ruleset, wish = requests.promotion(request)
        actor = requests.actor(request.reason, required=False, automatic=request.automatic)
        if request.validate_only:
            async with self._platform.reading() as connection:
                decision = await releasing.preview_promotion(connection, ruleset, wish, actor)
            return pb.PromoteVersionResponse(**_decided(ruleset, decision))

        async def promote(connection: Connection) -> pb.PromoteVersionResponse:
            decision = await releasing.promote(connection, self._log, _tenant(), ruleset, wish, actor)
            return pb.PromoteVersionResponse(**_decided(ruleset, decision))

        return await self._platform.once(request, pb.PromoteVersionResponse, promote, names.ruleset(ruleset))

    async def RollbackVersion(self, request: pb.RollbackVersionRequest, _context: Any) -> pb.RollbackVersionResponse:
        """Point a channel back."""
        ruleset, wish = requests.rollback(request)
        actor = requests.actor(request.reason, required=True, automatic=request.automatic)
        if request.validate_only:
            async with self._platform.reading() as connection:
                decision = await releasing.preview_rollback(connection, ruleset, wish, actor)
            return pb.RollbackVersionResponse(**_decided(ruleset, decision))

        async def rollback(connection: Connection) -> pb.RollbackVersionResponse:
            decision = await releasing.rollback(connection, self._log, _tenant(), ruleset, wish, actor)
            return pb.RollbackVersionResponse(**_decided(ruleset, decision))

        return await self._platform.once(request, pb.RollbackVersionResponse, rollback, names.ruleset(ruleset))

    async def MarkVersionBad(self, request: pb.MarkVersionBadRequest, _context: Any) -> pb.MarkVersionBadResponse:
        """Mark a version bad."""
        name = names.parse_version(request.version, "version")
        return await mark(self._platform, self._log, request, name, pb.MarkVersionBadResponse, releases.mark_bad)

    async def MarkVersionGood(self, request: pb.MarkVersionGoodRequest, _context: Any) -> pb.MarkVersionGoodResponse:
        """Take a bad mark back."""
        name = names.parse_version(request.version, "version")
        return await mark(self._platform, self._log, request, name, pb.MarkVersionGoodResponse, releases.mark_good)

    async def GetChannel(self, request: pb.GetChannelRequest, _context: Any) -> pb.GetChannelResponse:
        """Get one channel."""
        name = names.parse_channel(request.name, "name")
        async with self._platform.reading() as connection:
            channel = await store.get_channel(connection, *name)
        return pb.GetChannelResponse(channel=responses.channel(name.ruleset, channel))

    async def ListReleases(self, request: pb.ListReleasesRequest, _context: Any) -> pb.ListReleasesResponse:
        """List the release log, newest first."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset")
        channel = check_label(request.channel, "channel") if request.channel else None
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, ruleset, channel) or _PAST_ALL_REVISIONS
        async with self._platform.reading() as connection:
            await rulesets.get(connection, ruleset)
            found = await store.page(connection, ruleset, channel, before, size + 1)
        message = partial(responses.release, ruleset)
        releases, token = pages.cut(found, size, message, lambda release: release.revision, ruleset, channel)
        return pb.ListReleasesResponse(releases=releases, next_page_token=token)

    async def WatchReleases(
        self, request: pb.WatchReleasesRequest, _context: Any
    ) -> AsyncGenerator[pb.WatchReleasesResponse]:
        """Watch the release log."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset")
        async with self._platform.reading() as connection:
            found = await rulesets.get(connection, ruleset)
            channels = await store.list_channels(connection, ruleset)
        if request.HasField("from_sequence"):
            sequence = fields.from_sequence(request.from_sequence)
            watch.check_start(sequence, found.latest_revision)
        else:
            sequence = found.latest_revision
            snapshot = pb.ReleaseSnapshot(
                ruleset=responses.ruleset(found), channels=responses.channels(ruleset, channels)
            )
            yield pb.WatchReleasesResponse(sequence=sequence, snapshot=snapshot)
        async with aclosing(self._feed(ruleset).follow(sequence)) as items:
            async for release in items:
                if release is None:
                    yield pb.WatchReleasesResponse(sequence=sequence, heartbeat=messages.now())
                else:
                    sequence = release.revision
                    yield pb.WatchReleasesResponse(sequence=sequence, release=responses.release(ruleset, release))

    async def ListReleaseEvents(
        self, request: pb.ListReleaseEventsRequest, _context: Any
    ) -> pb.ListReleaseEventsResponse:
        """Wait for what is next in the release log."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset")
        sequence = fields.from_sequence(request.from_sequence)
        seconds, size = fields.wait_seconds(request.wait), pages.size(request.page_size)
        async with self._platform.reading() as connection:
            found = await rulesets.get(connection, ruleset)
        watch.check_start(sequence, found.latest_revision)
        items = await self._feed(ruleset).poll(sequence, size, seconds)
        return pb.ListReleaseEventsResponse(
            releases=[responses.release(ruleset, value) for value in items],
            sequence=items[-1].revision if items else sequence,
        )

    def _feed(self, ruleset: str) -> Feed[Release]:
        async def after(connection: Connection, sequence: int, limit: int) -> Sequence[Release]:
            return await store.after(connection, ruleset, sequence, limit)

        return self._platform.feed(names.ruleset(ruleset), after)


def _tenant() -> str:
    return calls.current().principal.tenant


def _decided(ruleset: str, decision: Decision) -> dict[str, Any]:
    return {
        "channel": responses.channel(ruleset, decision.channel) if decision.channel else None,
        "release": responses.release(ruleset, decision.release) if decision.release else None,
        "changed": decision.changed,
    }
