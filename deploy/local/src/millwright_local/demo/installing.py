"""The fifth act: a module is installed although the service is killed, taken back, and a hostile one refused."""

import io
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from millwright.modules.v1.module_pb2 import Module, Problem
from millwright.modules.v1.module_service_pb2 import GetModuleRequest, RollbackModuleRequest
from millwright.modules.v1.operation_pb2 import (
    STAGE_COMPLETED,
    STAGE_EXTRACTING,
    STAGE_FAILED,
    STAGE_VALIDATING,
    OperationEvent,
    Stage,
)

from millwright_local.demo.packing import MODULE, pack
from millwright_local.demo.scene import Scene, new_id
from millwright_local.demo.stage import milliseconds
from millwright_local.modules_client import ModulesClient
from millwright_local.scratch import scratch_directory

PICTURES = 600
"""What makes the package large enough for its progress to be seen."""
OUTSIDE = "../../etc/cron.d/millwright"
BAR_WIDTH = 25


class Installing:
    """The act."""

    title = "A module is installed although the service dies, and a hostile one is refused"

    def __init__(self, scene: Scene) -> None:
        self.stage = scene.stage
        self.stack = scene.stack
        # Who installs modules decides what runs in the plant's browsers: that takes more than an operator.
        self.token = scene.stack.admin_token_file.read_text()

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        with scratch_directory() as directory:
            first = await self._install_and_kill(directory)
            await self._upgrade(directory)
            await self._roll_back()
            await self._refuse(first)

    async def _install_and_kill(self, directory: Path) -> bytes:
        """Install the first version, the service being killed in the middle of it; give its package."""
        with self.stage.step("Install Quality Analytics 1.0.0, and kill the service once it is unpacked"):
            package = await self._pack(directory, "1.0.0")
            heard = []
            async with self._client() as client:
                operation = (await client.install(package, new_id())).name
                async for event in client.events(operation):
                    heard.append(event)
                    if event.stage >= STAGE_VALIDATING:
                        break
                await self.stack.services["modules"].kill()
            self._show(heard)
            last = heard[-1]
            is_between = STAGE_VALIDATING <= last.stage < STAGE_COMPLETED
            measured = f"{last.progress.percent:.0f} %, {_stage(last)}"
            self.stage.claim("SIGKILL came in the middle of it", holds=is_between, measured=measured)
        await self._finish(operation)
        return package

    async def _finish(self, operation: str) -> None:
        with self.stage.step("Start it again"):
            begin, restart_time = time.monotonic(), time.time()
            await self.stack.services["modules"].start()
            self.stage.ready("modules", time.monotonic() - begin)
            async with self._client() as client:
                events = [event async for event in client.events(operation)]
            after = [event for event in events if event.event_time.ToNanoseconds() / 1e9 > restart_time]
            self._show(after)
            is_completed = events[-1].stage == STAGE_COMPLETED and bool(after)
            self.stage.claim("the install goes on by itself, and completes", holds=is_completed, measured=_why(events))
            is_ahead = all(event.stage > STAGE_EXTRACTING for event in after)
            first = f"it began with {_stage(after[0])}"
            self.stage.claim("what was finished is not told again", holds=is_ahead, measured=first)
            percents = [event.progress.percent for event in events]
            never_back = percents == sorted(percents) and percents.count(100.0) == 1 and percents[-1] == 100.0
            self.stage.claim("its percentage never went back, and was 100 once", holds=never_back)
            is_dense = [event.sequence for event in events] == list(range(1, len(events) + 1))
            self.stage.claim("the log of it has no gap", holds=is_dense, measured=f"1 to {len(events)}")
            await self._claim_live("1.0.0")

    async def _upgrade(self, directory: Path) -> None:
        with self.stage.step("Upgrade it to 1.1.0"):
            events = await self._install(await self._pack(directory, "1.1.0"))
            self._show(events)
            took = (events[-1].event_time.ToNanoseconds() - events[0].event_time.ToNanoseconds()) / 1e9
            measured = f"{took:.1f} s" if events[-1].stage == STAGE_COMPLETED else _why(events)
            self.stage.claim("it completes", holds=events[-1].stage == STAGE_COMPLETED, measured=measured)
            await self._claim_live("1.1.0")

    async def _roll_back(self) -> None:
        with self.stage.step("Roll it back in one call"):
            request = RollbackModuleRequest(name=MODULE, reason="the old page was better", request_id=new_id())
            async with self._client() as client:
                await client.call(client.modules.GetModule, GetModuleRequest(name=MODULE))  # it is connected now
                begin = time.perf_counter()
                answer = await client.call(client.modules.RollbackModule, request)
                seconds = time.perf_counter() - begin
            version = answer.module.active_version
            measured = f"after {milliseconds(seconds)}"
            self.stage.claim("the call is answered", holds=version == "1.0.0", measured=measured)
            await self._claim_live("1.0.0")

    async def _refuse(self, package: bytes) -> None:
        with self.stage.step("Install a package that would write outside of its directory"):
            before = await self._module()
            events = await self._install(_hostile(package))
            problems = [problem for event in events for problem in event.problems]
            for problem in problems:
                self.stage.say(problem.messages["en"])
            reasons = ", ".join(problem.reason for problem in problems)
            is_refused = events[-1].stage == STAGE_FAILED and reasons == "PATH_TRAVERSAL"
            self.stage.claim("it is refused, and why is said", holds=is_refused, measured=reasons)
            after = await self._module()
            is_same = (after.state, after.generation) == (before.state, before.generation)
            self.stage.claim("what is live has not changed", holds=is_same, measured=after.active_version)

    async def _pack(self, directory: Path, version: str) -> bytes:
        package = await pack(directory, version, self.stack.logs, PICTURES)
        self.stage.say(f"The package: {len(package) / 1e6:.1f} MB.")
        return package

    async def _install(self, package: bytes) -> Sequence[OperationEvent]:
        """Install a package; give all that happened until the install had ended."""
        async with self._client() as client:
            operation = await client.install(package, new_id())
            return [event async for event in client.events(operation.name)]

    async def _module(self) -> Module:
        async with self._client() as client:
            return (await client.call(client.modules.GetModule, GetModuleRequest(name=MODULE))).module

    async def _claim_live(self, version: str) -> None:
        module = await self._module()
        is_live = (module.state, module.active_version) == (Module.STATE_ENABLED, version)
        self.stage.claim(f"{version} is live", holds=is_live, measured=f"generation {module.generation}")

    def _show(self, events: Sequence[OperationEvent]) -> None:
        """Show how far each stage came."""
        reached = {_stage(event): event.progress.percent for event in events}
        rows = [(stage, f"{percent:.0f}", "█" * round(BAR_WIDTH * percent / 100)) for stage, percent in reached.items()]
        self.stage.table(("stage", "percent", ""), rows)

    def _client(self) -> ModulesClient:
        return ModulesClient(self.stack.endpoints["modules"], self.token)


def _stage(event: OperationEvent) -> str:
    return Stage.Name(event.stage).removeprefix("STAGE_").lower()


def _why(events: Sequence[OperationEvent]) -> str:
    """Give what ended an operation that did not complete; nothing for one that did."""
    problems: list[Problem] = [problem for event in events for problem in event.problems]
    return problems[0].messages["en"] if problems and events[-1].stage != STAGE_COMPLETED else ""


def _hostile(package: bytes) -> bytes:
    """Give the package with one entry more."""
    changed = io.BytesIO(package)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr(OUTSIDE, "* * * * * root true\n")
    return changed.getvalue()
