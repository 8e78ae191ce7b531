"""The sandbox ends what runs for ever or eats memory, and stays ready for the next; the loop goes on meanwhile."""

import asyncio
import os
import signal
import sys
import textwrap
import time
from contextlib import asynccontextmanager, suppress

import psutil
import pytest
from millwright_local.processes import until
from millwright_workflow.engine.sandbox.pool import Limits, Sandbox, SandboxFault

HOSTILE = {
    "repeat(.)": "last(repeat(.))",
    "a huge range": "[range(1e12)]",
    "a huge string": '"x" * (1e9 + .)',
    "a string that doubles": 'last(limit(40; "x" | recurse(. + .)))',
    "endless recursion": "def f: 1 + f; f",
    "a loop without end": "def f: f; f",
    "a deep value": "last(limit(1000000; recurse([.])))",
    "a large value": "[range(1000000)] | map(tostring * 2)",
}
BOUND_SECONDS = 6.0


@pytest.fixture
async def sandbox():
    """One process with tight limits."""
    sandbox = Sandbox(1, Limits(seconds=0.5, memory_bytes=256 * 1024 * 1024, output_bytes=1024 * 1024))
    await sandbox.evaluate("1", "null")
    yield sandbox
    await sandbox.close()


@asynccontextmanager
async def ticking():
    """Give a list of the pauses, in seconds, between the ticks of a coroutine that runs beside the block."""
    pauses = []

    async def tick():
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            now = time.monotonic()
            pauses.append(now - before)
            before = now

    task = asyncio.create_task(tick())
    try:
        yield pauses
    finally:
        task.cancel()


@pytest.mark.parametrize("what", HOSTILE)
async def test_what_is_hostile_ends_in_bounded_time_and_the_next_evaluation_works(sandbox, what):
    begin = time.monotonic()
    with pytest.raises(SandboxFault):
        await sandbox.evaluate(HOSTILE[what], "0")
    assert time.monotonic() - begin < BOUND_SECONDS
    assert await sandbox.evaluate(". + 1", "41") == 42


async def test_the_loop_goes_on_while_an_expression_runs_for_ever(sandbox):
    async with ticking() as pauses:
        with pytest.raises(SandboxFault, match="it ran for more than"):
            await sandbox.evaluate("def f: f; f", "null")
    assert len(pauses) > 20
    assert max(pauses) < 0.4


async def test_a_fault_says_what_jq_says(sandbox):
    with pytest.raises(SandboxFault, match="Cannot index number"):
        await sandbox.evaluate(".a", "1")


async def test_too_much_memory_is_called_so():
    sandbox = Sandbox(1, Limits(seconds=10, memory_bytes=128 * 1024 * 1024))
    with pytest.raises(SandboxFault, match="needed more than 128 MiB"):
        await sandbox.evaluate("[range(1e12)]", "null")
    await sandbox.close()


async def test_the_environment_is_empty(sandbox):
    assert await sandbox.evaluate("[env, $ENV]", "null") == [{}, {}]


async def test_an_expression_without_a_value_gives_null(sandbox):
    assert await sandbox.evaluate("empty", "1") is None


async def test_of_several_values_the_first_counts(sandbox):
    assert await sandbox.evaluate("range(10)", "null") == 0


@pytest.mark.parametrize("program", ["input", "halt", "halt_error", "debug", "stderr", "input_filename", "$__loc__"])
async def test_what_reaches_out_of_the_program_does_no_harm(sandbox, program):
    with suppress(SandboxFault):
        await sandbox.evaluate(program, '"x"')
    assert await sandbox.evaluate(".", '"x"') == "x"


async def test_programs_that_do_not_compile_are_told_apart(sandbox):
    faults = await sandbox.compile([".a", "nosuch", ". |"])
    assert [fault is None for fault in faults] == [True, False, False]


async def test_callers_wait_for_a_free_process(sandbox):
    answers = await asyncio.gather(*(sandbox.evaluate(f". + {number}", "1") for number in range(20)))
    assert answers == list(range(1, 21))


async def test_an_evaluation_that_nobody_waits_for_any_more_is_ended(sandbox):
    task = asyncio.create_task(sandbox.evaluate("def f: f; f", "null"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sandbox.evaluate(".", "1") == 1


async def test_a_process_that_was_killed_is_replaced(sandbox):
    (child,) = sandbox._children
    os.kill(child._process.pid, signal.SIGKILL)
    with pytest.raises(SandboxFault):
        await sandbox.evaluate(".", "1")
    assert await sandbox.evaluate(".", "1") == 1


async def test_closing_ends_the_processes(sandbox):
    pid = sandbox._children[0]._process.pid
    await sandbox.close()
    assert not psutil.pid_exists(pid)


PARENT = """
    import asyncio
    from millwright_workflow.engine.sandbox.pool import Sandbox

    async def main():
        sandbox = Sandbox(1)
        await sandbox.evaluate(".", "1")
        print(sandbox._children[0]._process.pid, flush=True)
        await sandbox.evaluate("def f: f; f", "null")

    asyncio.run(main())
"""


async def test_a_child_dies_with_its_parent():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(PARENT), stdout=asyncio.subprocess.PIPE
    )
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()

    async def is_gone():
        return not child.is_running() or child.status() == psutil.STATUS_ZOMBIE

    await until(is_gone, 5)
