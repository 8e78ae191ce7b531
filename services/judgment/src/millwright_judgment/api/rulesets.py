"""RulesetService: writing, publishing and reading rulesets."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import orjson
from millwright.judgment.v1 import ruleset_pb2
from millwright.judgment.v1 import ruleset_service_pb2 as pb
from millwright.judgment.v1 import ruleset_service_pb2_grpc as pb_grpc
from millwright_runtime.api import calls, messages, pages
from millwright_runtime.errors import InvalidFields, Violation
from millwright_runtime.events.log import EventLog
from millwright_runtime.names import check_label
from millwright_runtime.postgres.database import Connection
from millwright_runtime.service import Platform

from millwright_judgment.api import gate_reports, requests, responses
from millwright_judgment.api.marking import mark
from millwright_judgment.commands import publishing
from millwright_judgment.commands.publishing import Candidate, Published
from millwright_judgment.domain import names, releases
from millwright_judgment.domain.difference.edits import diff
from millwright_judgment.domain.errors import EtagMismatch, InvalidRuleset
from millwright_judgment.domain.gate_report import GateReport
from millwright_judgment.domain.ruleset import canonical, document, gorules
from millwright_judgment.domain.ruleset.document import violation
from millwright_judgment.domain.ruleset.model import Ruleset
from millwright_judgment.engine.gate import Examined, Gate
from millwright_judgment.store import drafts, rulesets
from millwright_judgment.store import releases as release_store
from millwright_judgment.store.drafts import Draft, DraftState
from millwright_judgment.store.rulesets import Text

_PAST_ALL_NUMBERS = 2**31
_USUAL_REPLAY = 10_000
_LARGEST_REPLAY = 100_000


class RulesetServicer(pb_grpc.RulesetServiceServicer):
    """Serves RulesetService."""

    def __init__(self, platform: Platform, log: EventLog, gate: Gate) -> None:
        self._platform = platform
        self._log = log
        self._gate = gate

    async def SaveDraft(self, request: pb.SaveDraftRequest, _context: Any) -> pb.SaveDraftResponse:
        """Create or change a draft."""
        name = names.parse_draft(request.name, "name")
        text = requests.document_text(request.document)
        found = document.read(text).findings
        call = calls.current()

        async def save(connection: Connection) -> pb.SaveDraftResponse:
            tenant, subject = call.principal.tenant, call.principal.subject
            if request.etag:
                revision = requests.etag(request.etag)
                draft = await drafts.update(connection, *name, revision, text, subject)
            else:
                draft = await drafts.insert(connection, tenant, *name, text, subject)
            if draft is None:
                raise EtagMismatch(resource=request.name)
            return pb.SaveDraftResponse(draft=_draft(draft), findings=gate_reports.findings(found))

        return await self._platform.once(request, pb.SaveDraftResponse, save)

    async def GetDraft(self, request: pb.GetDraftRequest, _context: Any) -> pb.GetDraftResponse:
        """Get one draft."""
        name = names.parse_draft(request.name, "name")
        async with self._platform.reading() as connection:
            return pb.GetDraftResponse(draft=_draft(await drafts.get(connection, *name)))

    async def ListDrafts(self, request: pb.ListDraftsRequest, _context: Any) -> pb.ListDraftsResponse:
        """List drafts by name."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset") if request.ruleset else None
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, _place_of_draft, ruleset) or ("", "")
        async with self._platform.reading() as connection:
            found = await drafts.page(connection, ruleset, after, size + 1)
        message = partial(_draft, is_whole=False)
        listed, token = pages.cut(found, size, message, lambda draft: [draft.ruleset, draft.draft], ruleset)
        return pb.ListDraftsResponse(drafts=listed, next_page_token=token)

    async def DeleteDraft(self, request: pb.DeleteDraftRequest, _context: Any) -> pb.DeleteDraftResponse:
        """Remove a draft."""
        name = names.parse_draft(request.name, "name")
        async with self._platform.database.transaction(calls.current().principal.tenant) as connection:
            draft = await drafts.find(connection, *name)
            if draft is not None and request.etag not in ("", draft.etag):
                raise EtagMismatch(resource=request.name)
            await drafts.delete(connection, *name)
        return pb.DeleteDraftResponse()

    async def ValidateDraft(self, request: pb.ValidateDraftRequest, _context: Any) -> pb.ValidateDraftResponse:
        """Put a draft through the publish gate."""
        name = names.parse_draft(request.name, "name")
        executions = _replay_executions(request)
        draft = await self._read_draft(name, request.etag)
        examined = await self._gate.examine(calls.current().principal.tenant, draft.document, executions)
        state = DraftState.VALIDATED if examined.report.passed else DraftState.DRAFT
        async with self._platform.database.transaction(calls.current().principal.tenant) as connection:
            report = orjson.dumps(examined.report.to_json()).decode()
            noted = await drafts.note_gate(connection, *name, draft.revision, state, report)
        if noted is None:
            raise EtagMismatch(resource=request.name)
        return pb.ValidateDraftResponse(draft=_draft(noted))

    async def PublishVersion(self, request: pb.PublishVersionRequest, _context: Any) -> pb.PublishVersionResponse:
        """Publish a document or a draft through the gate."""
        promote_to = check_label(request.promote_to, "promote_to") if request.promote_to else None
        actor = requests.actor(request.reason, required=False)
        tenant = calls.current().principal.tenant
        draft, text = await self._source(request)
        examined = await self._gate.examine(tenant, text, _replay_executions(request), promote_to)
        candidate = _candidate(text, examined)
        if request.validate_only:
            async with self._platform.reading() as connection:
                return _published(await publishing.preview(connection, candidate, promote_to, actor), examined.report)

        async def publish(connection: Connection) -> pb.PublishVersionResponse:
            published = await publishing.publish(connection, self._log, tenant, candidate, promote_to, actor)
            if draft is not None:
                await self._note_published(connection, draft, candidate)
            return _published(published, examined.report)

        resource = names.ruleset(candidate.ruleset.id)
        return await self._platform.once(request, pb.PublishVersionResponse, publish, resource)

    async def GetRuleset(self, request: pb.GetRulesetRequest, _context: Any) -> pb.GetRulesetResponse:
        """Get one ruleset with its channels."""
        ruleset = names.parse_ruleset(request.name, "name")
        async with self._platform.reading() as connection:
            found = await rulesets.get(connection, ruleset)
            channels = await release_store.list_channels(connection, ruleset)
        return pb.GetRulesetResponse(ruleset=responses.ruleset(found), channels=responses.channels(ruleset, channels))

    async def ListRulesets(self, request: pb.ListRulesetsRequest, _context: Any) -> pb.ListRulesetsResponse:
        """List rulesets by name."""
        size = pages.size(request.page_size)
        after = pages.read(request.page_token, pages.text) or ""
        async with self._platform.reading() as connection:
            found = await rulesets.page(connection, after, size + 1)
        listed, token = pages.cut(found, size, responses.ruleset, lambda ruleset: ruleset.ruleset)
        return pb.ListRulesetsResponse(rulesets=listed, next_page_token=token)

    async def GetVersion(self, request: pb.GetVersionRequest, _context: Any) -> pb.GetVersionResponse:
        """Get one version with its document and the gate's report."""
        name = names.parse_version(request.name, "name")
        async with self._platform.reading() as connection:
            version, text = await rulesets.get_version(connection, *name)
        message = responses.version(name.ruleset, version)
        message.document = text.document
        message.gate_report.CopyFrom(gate_reports.report(GateReport.from_json(orjson.loads(text.gate_report))))
        return pb.GetVersionResponse(version=message)

    async def ListVersions(self, request: pb.ListVersionsRequest, _context: Any) -> pb.ListVersionsResponse:
        """List versions, newest first."""
        ruleset = names.parse_ruleset(request.ruleset, "ruleset")
        size = pages.size(request.page_size)
        before = pages.read(request.page_token, pages.number, ruleset) or _PAST_ALL_NUMBERS
        async with self._platform.reading() as connection:
            await rulesets.get(connection, ruleset)
            found = await rulesets.page_of_versions(connection, ruleset, before, size + 1)
        message = partial(responses.version, ruleset)
        versions, token = pages.cut(found, size, message, lambda version: version.number, ruleset)
        return pb.ListVersionsResponse(versions=versions, next_page_token=token)

    async def DiffVersions(self, request: pb.DiffVersionsRequest, _context: Any) -> pb.DiffVersionsResponse:
        """Compare two versions, or a version and a draft, as atomic edits."""
        async with self._platform.reading() as connection:
            before = await _ruleset_of(connection, getattr(request, "from"), "from")
            after = await _ruleset_of(connection, request.to, "to")
        if before.id != after.id:
            raise InvalidFields([Violation("to", "MISMATCH", f"must be of the ruleset {before.id}, like from")])
        return pb.DiffVersionsResponse(edits=[responses.edit(each) for each in diff(before, after)])

    async def RetireVersion(self, request: pb.RetireVersionRequest, _context: Any) -> pb.RetireVersionResponse:
        """Take a version out of use for good."""
        name = names.parse_version(request.name, "name")
        return await mark(self._platform, self._log, request, name, pb.RetireVersionResponse, releases.retire)

    async def ImportDecision(self, request: pb.ImportDecisionRequest, _context: Any) -> pb.ImportDecisionResponse:
        """Turn a decision file of GoRules into a document of ours."""
        namespace, _, name = names.parse_ruleset(request.ruleset, "ruleset").partition(".")
        text = requests.document_text(request.decision, "decision")
        imported, found = gorules.import_decision(text, namespace, name, request.semver or "1.0.0")
        if not imported:
            raise InvalidRuleset([violation(finding) for finding in found])
        return pb.ImportDecisionResponse(
            document=json.dumps(imported, ensure_ascii=False, indent=2), findings=gate_reports.findings(found)
        )

    async def ExportDecision(self, request: pb.ExportDecisionRequest, _context: Any) -> pb.ExportDecisionResponse:
        """Give a version as a decision file of GoRules."""
        name = names.parse_version(request.version, "version")
        async with self._platform.reading() as connection:
            _, text = await rulesets.get_version(connection, *name)
        decision = canonical.to_document(document.read(text.canonical).require())["decision"]
        return pb.ExportDecisionResponse(decision=json.dumps(decision, ensure_ascii=False, indent=2))

    async def _read_draft(self, name: names.DraftName, etag: str) -> Draft:
        """Give a draft; raise EtagMismatch if it is not as the etag says."""
        async with self._platform.reading() as connection:
            draft = await drafts.get(connection, *name)
        if etag not in ("", draft.etag):
            raise EtagMismatch(resource=names.draft(*name))
        return draft

    async def _source(self, request: pb.PublishVersionRequest) -> tuple[Draft | None, str]:
        """Give what is to be published, and the draft that it comes from, if it does."""
        match request.WhichOneof("source"):
            case "document":
                return None, requests.document_text(request.document)
            case "draft":
                draft = await self._read_draft(names.parse_draft(request.draft, "draft"), "")
                return draft, draft.document
            case _:
                raise InvalidFields([Violation("document", "REQUIRED", "must be a document, or draft be set")])

    async def _note_published(self, connection: Connection, draft: Draft, candidate: Candidate) -> None:
        """Note that a draft was published; raise EtagMismatch if it was changed since it was read."""
        report = candidate.text.gate_report
        noted = await drafts.note_gate(
            connection, draft.ruleset, draft.draft, draft.revision, DraftState.PUBLISHED, report
        )
        if noted is None:
            raise EtagMismatch(resource=names.draft(draft.ruleset, draft.draft))


async def _ruleset_of(connection: Connection, name: str, field: str) -> Ruleset:
    """Give the ruleset of a version or a draft; raise InvalidRuleset for a draft with faults."""
    if "/drafts/" in name:
        draft = await drafts.get(connection, *names.parse_draft(name, field))
        return document.read(draft.document).require()
    _, text = await rulesets.get_version(connection, *names.parse_version(name, field))
    return document.read(text.canonical).require()


def _candidate(text: str, examined: Examined) -> Candidate:
    """Give what may be published; raise InvalidRuleset with what blocks."""
    report = examined.report
    if examined.ruleset is None or not report.passed:
        raise InvalidRuleset([violation(finding) for finding in report.findings if finding.code in report.blocking])
    kept = Text(text, examined.canonical, orjson.dumps(report.to_json()).decode())
    return Candidate(examined.ruleset, examined.content_hash, kept)


def _published(value: Published, report: GateReport) -> pb.PublishVersionResponse:
    version = responses.version(value.ruleset, value.version)
    version.gate_report.CopyFrom(gate_reports.report(report))
    channel = responses.channel(value.ruleset, value.channel) if value.channel else None
    return pb.PublishVersionResponse(version=version, created=value.created, channel=channel)


def _draft(value: Draft, *, is_whole: bool = True) -> ruleset_pb2.Draft:
    report = GateReport.from_json(orjson.loads(value.gate_report)) if value.gate_report and is_whole else None
    return ruleset_pb2.Draft(
        name=names.draft(value.ruleset, value.draft),
        document=value.document if is_whole else "",
        state=ruleset_pb2.Draft.State.Value(f"STATE_{value.state.value}"),
        gate_report=gate_reports.report(report) if report else None,
        etag=value.etag,
        updater=value.updater,
        create_time=messages.timestamp(value.create_time),
        update_time=messages.timestamp(value.update_time),
    )


def _place_of_draft(position: Any) -> tuple[str, str]:
    ruleset, draft = position
    return pages.text(ruleset), pages.text(draft)


def _replay_executions(request: pb.ValidateDraftRequest | pb.PublishVersionRequest) -> int:
    """Give how many executions the gate replays; raise InvalidFields if that is more than it does."""
    if not request.HasField("replay_executions"):
        return _USUAL_REPLAY
    if not 0 <= request.replay_executions <= _LARGEST_REPLAY:
        what = f"must be from 0 to {_LARGEST_REPLAY}"
        raise InvalidFields([Violation("replay_executions", "OUT_OF_RANGE", what)])
    return request.replay_executions
