"""Entries are read from the newest on, by what is asked for, page by page."""

from datetime import timedelta

import asyncpg
import pytest
from millwright_runtime.audit.log import AuditLog, Entry, Filter

LOG = AuditLog("sample")


def entry(number, tenant="north", code="OK"):
    return Entry(
        tenant=tenant,
        subject=f"subject-{number % 2}",
        roles=("admin",),
        method=f"test.v1.Service.Do{number}",
        resources=(f"things/{number}/parts/1", "other"),
        request_id=None,
        code=code,
        reason="",
        trace_id="",
        peer="",
    )


@pytest.fixture
async def written(database, urls):
    """Entries 0 to 3 of a tenant, of which the third is of a refusal, and one of another tenant."""
    owner = await asyncpg.connect(urls.owner)
    await owner.execute("TRUNCATE sample.audit_entry")
    await owner.close()
    for tenant in ("north", "south"):
        async with database.transaction(tenant) as connection:
            entries = [entry(number, code="NOT_FOUND" if number == 2 else "OK") for number in range(4)]
            await LOG.append(connection, entries if tenant == "north" else [entry(9, "south")])


async def found(database, limit=10, before=None, **chosen):
    async with database.snapshot("north") as connection:
        return await LOG.page(connection, Filter(**chosen), before, limit)


async def numbers(database, **chosen):
    return [each.method[-1] for _, each in await found(database, **chosen)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, ["3", "2", "1", "0"]),
        ({"subject": "subject-1"}, ["3", "1"]),
        ({"resource": "things/2/parts/1"}, ["2"]),
        ({"resource": "things/2"}, ["2"]),
        ({"resource": "things"}, ["3", "2", "1", "0"]),
        ({"resource": "thing"}, []),
        ({"method": "test.v1.Service.Do1"}, ["1"]),
        ({"method": "Do1"}, ["1"]),
        ({"method": "o1"}, []),
        ({"only_refused": True}, ["2"]),
        ({"only_refused": True, "subject": "subject-1"}, []),
    ],
)
async def test_entries_are_chosen_by_what_is_asked_for(database, written, chosen, expected):
    assert await numbers(database, **chosen) == expected


async def test_times_bound_what_is_given_the_first_with_and_the_last_without(database, written):
    times = {each.method[-1]: place.create_time for place, each in await found(database)}
    assert await numbers(database, from_time=times["1"], to_time=times["3"]) == ["2", "1"]
    assert await numbers(database, from_time=times["3"] + timedelta(microseconds=1)) == []


async def test_pages_give_each_entry_once(database, written):
    first = await found(database, limit=3)
    rest = await found(database, limit=3, before=first[-1][0])
    assert [each.method[-1] for _, each in (*first, *rest)] == ["3", "2", "1", "0"]
