"""One performance of the demo: a stack of its own, the acts one after another, and an empty stage afterwards."""

import asyncio
import time
import traceback
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
from rich.console import Console

from millwright_local.demo.crash import Crash
from millwright_local.demo.installing import Installing
from millwright_local.demo.judging import Judging
from millwright_local.demo.night import Night
from millwright_local.demo.plant import Plant
from millwright_local.demo.reviewing import Reviewing
from millwright_local.demo.rollback import Rollback
from millwright_local.demo.scene import Act, Scene
from millwright_local.demo.stage import ClaimBroken, Stage
from millwright_local.errors import StackError
from millwright_local.scratch import scratch_directory
from millwright_local.stack import Stack

ACTS: tuple[type[Act], ...] = (Rollback, Crash, Judging, Night, Installing, Reviewing)
END_SECONDS = 1.0


async def perform(console: Console) -> int:
    """Tell the story in a stack of its own; return 0, or 1 once a step did not hold."""
    begin = time.monotonic()
    stage = Stage(console)
    console.print("[bold]Millwright: bad versions are taken back, and a killed service loses nothing[/]")
    try:
        with scratch_directory(on_disk=True) as home:
            await _play(stage, home)
    except Exception as error:  # noqa: BLE001 - whatever it is, the step's name is what helps
        stage.fail(_words_for(error))
        return 1
    console.print(f"\n[bold green]All {stage.claims} claims hold.[/] {time.monotonic() - begin:.1f} s in all.")
    console.print("Now yours: [bold]make up[/] keeps a stack running.")
    return 0


async def _play(stage: Stage, home: Path) -> None:
    """Start everything, tell the story, stop everything, whatever happens in between."""
    # What the environment says of other servers is not for the demo: nothing but its own may feel it.
    stack = Stack(home, free_ports=True, environment={}, report=stage.ready)
    async with AsyncExitStack() as cleanup:
        with stage.step("Start Postgres, Valkey, NATS and the services"):
            await cleanup.enter_async_context(stack)
        plant = await cleanup.enter_async_context(Plant())
        scene = Scene(stage, stack, plant)
        for act in ACTS:
            stage.act(act.title)
            await _unless_one_ends(stack, act(scene).tell())
        with stage.step("Stop everything"):
            await cleanup.aclose()
            left = [process.name for process in stack.processes if process.is_running]
            stage.claim("nothing runs any more", holds=not left, measured=", ".join(left))


async def _unless_one_ends(stack: Stack, story: Coroutine[None, None, None]) -> None:
    """Tell the story; if a process of the stack ends meanwhile, break off and raise how it ended."""
    telling = asyncio.create_task(story)
    ending = asyncio.create_task(stack.wait_for_end())
    try:
        await asyncio.wait({telling, ending}, return_when=asyncio.FIRST_COMPLETED)
        if telling.done() and isinstance(telling.exception(), grpc.aio.AioRpcError):
            # A dying process lets go of its connections first, and how it ended says more than the call that broke.
            await asyncio.wait({ending}, timeout=END_SECONDS)
        if ending.done():
            raise ending.result()
        await telling
    finally:
        telling.cancel()
        ending.cancel()
        await asyncio.gather(telling, ending, return_exceptions=True)


def _words_for(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        return _words_for(error.exceptions[0])
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, (ClaimBroken, StackError)):
        return str(error)
    return "".join(traceback.format_exception(error))
