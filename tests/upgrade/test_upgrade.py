"""A rolling upgrade under load: the services of an earlier commit give way to these, replica by replica.

Nobody who calls sees more of it than a call that has to be repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from millwright_local.services import SERVICES

from tests.chaos.book import Book
from tests.chaos.load import KINDS
from tests.chaos.run import run
from tests.chaos.world import World
from tests.upgrade import base

OLD_SECONDS = 10.0
"""How long the old services alone fill the database, and how long the new ones go on alone in the end."""


async def roll(world: World, book: Book) -> None:
    """Migrate each service's schema while its old replicas serve, then put a new process in the place of each."""
    await asyncio.sleep(OLD_SECONDS)
    for service in SERVICES:
        replicas = world.replicas(service.name)
        for process in replicas.values():
            process.service = service
        await next(iter(replicas.values())).migrate()
        for name, process in replicas.items():
            step = book.open_harm("upgrade", name)
            await process.restart()
            book.close_harm(step)
    await asyncio.sleep(OLD_SECONDS)


@pytest.mark.upgrade
@pytest.mark.timeout(1200)
async def test_an_upgrade_replica_by_replica_loses_nothing_and_fails_no_call_that_a_retry_does_not_cure(tmp_path):
    try:
        commit = base.find()
    except base.NoBaseError as reason:
        pytest.skip(str(reason))
    python = await asyncio.to_thread(base.install, commit)
    old = [replace(service, command=(str(python), *service.command[1:])) for service in SERVICES]
    course = await run(1, tmp_path, roll, old)
    assert course.violations == [], f"from {commit}"
    assert len(course.book.harms) == 2 * len(SERVICES)
    assert {work.kind for work in course.book.works} == KINDS
