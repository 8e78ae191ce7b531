"""An entry stands and falls with what it tells of: it is committed with the change, or neither is."""

import asyncio
import contextvars
import uuid

import asyncpg
import pytest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest, PublishVersionResponse
from millwright_runtime.api import calls
from millwright_runtime.api.calls import Call, Principal
from millwright_runtime.audit import recording
from millwright_runtime.audit.auditing import REFUSALS_AT_ONCE, Auditing
from millwright_runtime.audit.log import AuditLog
from millwright_runtime.audit.recording import Recording
from millwright_runtime.audit.rules import Audited
from millwright_runtime.errors import FailedPrecondition, Unavailable
from millwright_runtime.postgres.database import ALL_TENANTS, is_connection_loss
from millwright_runtime.postgres.idempotency import Requests

AUDITED = Audited((("promote_to",),), (("version", "name"),))
SOMEBODY = Principal("somebody", "north", frozenset({"operator", "viewer"}))


class NotNow(FailedPrecondition):
    """Not now."""


class Away(Unavailable):
    """Not here."""


class Desk:
    """Serves calls as the interceptor does: each in a task of its own."""

    def __init__(self, database, clock):
        self.database = database
        self.auditing = Auditing(database, "sample", clock)
        self.requests = Requests(database, "sample")

    async def call(self, work, request=None, principal=SOMEBODY, method="test.Service.Publish"):
        """Serve one call; give its recording."""

        async def serve():
            self.auditing.begin(method, AUDITED, principal, "ipv4:127.0.0.1:1")
            calls.enter(Call(f"/{method}", principal, float("inf")))
            call = recording.current()
            call.asked(request or PublishVersionRequest(definition="secret"))
            try:
                await work()
                await self.auditing.finish(call)
            finally:
                call.close()
            return call

        return await asyncio.create_task(serve(), context=contextvars.Context())

    async def note(self, text="a", fault=None):
        """Work of one transaction, which may fail."""
        async with self.database.transaction("north") as connection:
            await connection.execute("INSERT INTO sample.note VALUES ('north', $1)", text)
            if fault:
                raise fault

    async def entries(self):
        async with self.database.transaction(ALL_TENANTS) as connection:
            rows = await connection.fetch("SELECT * FROM sample.audit_entry ORDER BY create_time, id")
        return [dict(row) for row in rows]

    async def notes(self):
        async with self.database.transaction(ALL_TENANTS) as connection:
            return await connection.fetchval("SELECT count(*) FROM sample.note")


@pytest.fixture
def clock():
    class Clock:
        now = 0.0

        def __call__(self):
            return self.now

    return Clock()


@pytest.fixture
async def desk(database, urls, clock):
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("TRUNCATE sample.audit_entry, sample.note, sample.request")
    await owner.close()
    return Desk(database, clock)


async def test_what_is_committed_has_one_entry_that_tells_who_and_what_and_nothing_that_was_sent(desk):
    request_id = uuid.uuid4()
    request = PublishVersionRequest(definition="secret", promote_to="prod", request_id=str(request_id))
    await desk.call(desk.note, request)
    (entry,) = await desk.entries()
    told = {name: entry[name] for name in ("tenant", "subject", "roles", "method", "resources", "request_id", "code")}
    assert told == {
        "tenant": "north",
        "subject": "somebody",
        "roles": ["operator", "viewer"],
        "method": "test.Service.Publish",
        "resources": ["prod"],
        "request_id": request_id,
        "code": "OK",
    }
    assert "secret" not in str(entry)


async def test_what_is_rolled_back_has_no_entry_of_it(desk):
    with pytest.raises(NotNow):
        await desk.call(lambda: desk.note(fault=NotNow()))
    assert (await desk.entries(), await desk.notes()) == ([], 0)


async def test_a_connection_that_is_lost_before_the_commit_takes_both_along(desk, urls):
    async def lost():
        async with desk.database.transaction("north") as connection:
            await connection.execute("INSERT INTO sample.note VALUES ('north', 'a')")
            administrator = await asyncpg.connect(urls.service)
            await administrator.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
            await administrator.close()

    with pytest.raises(Exception, check=is_connection_loss):  # noqa: B017 - which one depends on how far it came
        await desk.call(lost)
    assert (await desk.entries(), await desk.notes()) == ([], 0)


async def test_a_call_that_commits_twice_has_one_entry_with_the_first(desk):
    async def twice():
        await desk.note("a")
        assert [entry["code"] for entry in await desk.entries()] == ["OK"]
        await desk.note("b")

    await desk.call(twice)
    assert len(await desk.entries()) == 1


async def test_a_call_that_commits_after_a_first_attempt_failed_has_its_entry(desk):
    async def again():
        with pytest.raises(NotNow):
            await desk.note(fault=NotNow())
        await desk.note()

    await desk.call(again)
    assert len(await desk.entries()) == 1


async def test_a_call_that_commits_nothing_itself_has_its_entry_before_it_is_answered(desk):
    async def elsewhere():
        async with desk.database.transaction(ALL_TENANTS):
            pass  # background work of other tenants takes no entry along

    await desk.call(elsewhere)
    assert [entry["code"] for entry in await desk.entries()] == ["OK"]


async def test_what_a_refused_call_has_left_running_writes_no_entry_for_it(desk):
    ended, left = asyncio.Event(), []

    async def later():
        await ended.wait()
        await desk.note()

    async def refused():
        left.append(asyncio.create_task(later()))
        raise NotNow

    with pytest.raises(NotNow):
        await desk.call(refused)
    ended.set()
    await left[0]
    assert (await desk.entries(), await desk.notes()) == ([], 1)


async def test_a_preview_has_no_entry(desk):
    await desk.call(desk.note, PublishVersionRequest(validate_only=True))
    assert await desk.entries() == []


async def test_an_answer_given_again_has_no_second_entry_and_the_first_names_what_it_made(desk):
    request = PublishVersionRequest(definition="a", request_id=str(uuid.uuid4()))

    async def made(connection):
        return PublishVersionResponse(version={"name": "workflows/a/versions/1"})

    for _ in range(2):
        await desk.call(lambda: desk.requests.once(request, PublishVersionResponse, made), request)
    (entry,) = await desk.entries()
    assert entry["resources"] == ["workflows/a/versions/1"]


async def test_a_refusal_is_written_in_the_background_unless_it_is_ours(desk):
    call = await desk.call(lambda: asyncio.sleep(0), PublishVersionRequest(validate_only=False))
    desk.auditing.refused(call, NotNow())
    desk.auditing.refused(call, Away())
    await desk.auditing.drain()
    assert [(entry["code"], entry["reason"]) for entry in await desk.entries()] == [
        ("OK", ""),
        ("FAILED_PRECONDITION", "NOT_NOW"),
    ]


def refused_of(desk, subject):
    """A call of `subject` that is refused."""
    call = Recording(AuditLog("sample"), "a", AUDITED, Principal(subject, "north", frozenset()), "peer")
    desk.auditing.refused(call, NotNow())


async def test_one_who_is_refused_all_the_time_fills_no_disk_and_hides_nobody(desk, clock):
    for _ in range(REFUSALS_AT_ONCE * 3):
        refused_of(desk, "flood")
    refused_of(desk, "quiet")
    clock.now += 60
    for _ in range(100):
        refused_of(desk, "flood")
    await desk.auditing.drain()
    subjects = [entry["subject"] for entry in await desk.entries()]
    assert (subjects.count("flood"), subjects.count("quiet")) == (REFUSALS_AT_ONCE + 12, 1)


async def test_what_a_caller_chose_is_cut_and_cleaned(desk):
    hostile = Principal("a\x00\ud800" + "b" * 1000, "north", frozenset({"operator"}))
    await desk.call(desk.note, PublishVersionRequest(promote_to="c" * 1000, request_id="none"), principal=hostile)
    (entry,) = await desk.entries()
    assert entry["subject"].startswith("a�?b")
    assert {len(entry["subject"]), len(entry["resources"][0])} == {300}
    assert entry["request_id"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sample.audit_entry SET subject = 'nobody'",
        "DELETE FROM sample.audit_entry",
        "TRUNCATE sample.audit_entry",
        "DROP TABLE sample.audit_entry",
        "UPDATE sample.partitioned SET least_days = 1",
    ],
)
async def test_the_service_can_change_and_remove_no_entry(desk, statement):
    await desk.call(desk.note)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with desk.database.transaction(ALL_TENANTS) as connection:
            await connection.execute(statement)
    assert len(await desk.entries()) == 1


async def test_the_database_keeps_entries_from_a_service_that_asks_for_less(desk, urls):
    owner = await asyncpg.connect(urls.owner)
    for days in (75, 200):
        lower, upper, name = await owner.fetchrow(
            "SELECT month::text, (month + interval '1 month')::text, 'audit_entry_' || to_char(month, 'YYYYMM')"
            f" FROM date_trunc('month', now() - interval '{days} days') AS month"
        )
        await owner.execute(f"CREATE TABLE sample.{name} (LIKE sample.audit_entry INCLUDING ALL)")
        await owner.execute(
            f"ALTER TABLE sample.audit_entry ATTACH PARTITION sample.{name} FOR VALUES FROM ('{lower}') TO ('{upper}')"
        )
    async with desk.database.transaction(ALL_TENANTS) as connection:
        rows = await connection.fetch("SELECT name, is_dropped FROM sample.drop_partition('audit_entry', 1)")
        again = await connection.fetch("SELECT name, is_dropped FROM sample.drop_partition('audit_entry', 1)")
    assert (len(rows), len(again)) == (1, 0)
    await owner.close()
