"""The same request_id gives the first answer again; another body under it is refused; a refusal is not kept."""

import asyncio
import uuid

import pytest
from millwright.workflow.v1.workflow_service_pb2 import PublishVersionRequest, PublishVersionResponse
from millwright_runtime.api import calls
from millwright_runtime.api.calls import Call, Principal
from millwright_runtime.errors import FailedPrecondition, InvalidFields
from millwright_runtime.postgres.database import ALL_TENANTS
from millwright_runtime.postgres.idempotency import RequestIdReused, Requests


class NotNow(FailedPrecondition):
    """Not now."""


class Publisher:
    """Work that leaves a note each time it is done."""

    def __init__(self, database):
        self.requests = Requests(database, "sample")
        self.database = database

    async def publish(self, text, request_id, *, tenant="north", method="/test/Publish", fault=None):
        async def work(connection):
            await connection.execute("INSERT INTO sample.note VALUES ($1, $2)", tenant, text)
            if fault:
                raise fault
            return PublishVersionResponse(created=True, version={"name": text})

        calls.enter(Call(method, Principal("somebody", tenant, frozenset()), float("inf")))
        request = PublishVersionRequest(definition=text, request_id=request_id)
        return await self.requests.once(request, PublishVersionResponse, work)

    async def notes(self):
        async with self.database.transaction(ALL_TENANTS) as connection:
            return sorted(tuple(row) for row in await connection.fetch("SELECT tenant, text FROM sample.note"))


@pytest.fixture
async def publisher(database):
    async with database.transaction(ALL_TENANTS) as connection:
        await connection.execute("DELETE FROM sample.note; DELETE FROM sample.request")
    return Publisher(database)


@pytest.fixture
def request_id():
    return str(uuid.uuid4())


async def test_the_same_request_gives_the_first_answer_again(publisher, request_id):
    first = await publisher.publish("a", request_id)
    again = await publisher.publish("a", request_id)
    assert not first.replayed
    assert again == PublishVersionResponse(created=True, version={"name": "a"}, replayed=True)
    assert await publisher.notes() == [("north", "a")]


async def test_the_id_is_a_uuid_however_it_is_written(publisher, request_id):
    await publisher.publish("a", request_id)
    with pytest.raises(RequestIdReused):  # the body differs in how the id is written, and nothing is done twice
        await publisher.publish("a", request_id.upper())
    assert await publisher.notes() == [("north", "a")]


async def test_another_body_under_the_same_id_is_refused(publisher, request_id):
    await publisher.publish("a", request_id)
    with pytest.raises(RequestIdReused):
        await publisher.publish("b", request_id)
    assert await publisher.notes() == [("north", "a")]


async def test_without_an_id_everything_is_done_each_time(publisher):
    assert not (await publisher.publish("a", "")).replayed
    assert not (await publisher.publish("a", "")).replayed
    assert len(await publisher.notes()) == 2


async def test_an_id_that_is_no_uuid_is_a_wrong_field(publisher):
    with pytest.raises(InvalidFields, match="request_id: must be a UUID, or empty"):
        await publisher.publish("a", "tuesday")
    assert await publisher.notes() == []


async def test_duplicates_at_the_same_moment_are_done_once(publisher, request_id):
    tasks = [asyncio.create_task(publisher.publish("a", request_id)) for _ in range(8)]
    answers = await asyncio.gather(*tasks)
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
    assert await publisher.notes() == [("north", "a")]


async def test_a_refusal_is_not_kept(publisher, request_id):
    with pytest.raises(NotNow):
        await publisher.publish("a", request_id, fault=NotNow())
    assert not (await publisher.publish("a", request_id)).replayed
    assert await publisher.notes() == [("north", "a")]


async def test_tenants_do_not_share_ids(publisher, request_id):
    await publisher.publish("a", request_id, tenant="north")
    assert not (await publisher.publish("b", request_id, tenant="south")).replayed
    assert await publisher.notes() == [("north", "a"), ("south", "b")]


async def test_methods_do_not_share_ids(publisher, request_id):
    await publisher.publish("a", request_id, method="/test/Publish")
    assert not (await publisher.publish("b", request_id, method="/test/Promote")).replayed


async def age(publisher, hours):
    async with publisher.database.transaction(ALL_TENANTS) as connection:
        await connection.execute(f"UPDATE sample.request SET create_time = create_time - interval '{hours} hours'")


async def test_what_is_promised_is_kept(publisher, request_id):
    await publisher.publish("a", request_id)
    await age(publisher, 24)
    assert await publisher.requests.forget() == 0
    assert (await publisher.publish("a", request_id)).replayed


async def test_what_is_older_is_forgotten(publisher, request_id):
    await publisher.publish("a", request_id)
    await age(publisher, 25)
    assert await publisher.requests.forget() == 1
    assert not (await publisher.publish("a", request_id)).replayed
