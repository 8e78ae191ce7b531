"""Children end when they are told to, when they must, and when their parent is killed."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from millwright_local.errors import NotReadyError, ProcessEndedError
from millwright_local.processes import Process, is_alive, until

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
FORKING = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"

# Starts all three servers and a Python child, says where they are, and then waits to be killed.
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from millwright_local.nats import Nats
from millwright_local.postgres import Postgres
from millwright_local.processes import Process
from millwright_local.valkey import Valkey

async def main():
    directory = Path(sys.argv[1])
    servers = [Postgres(directory / "p"), Valkey(directory / "v"), Nats(directory / "n")]
    for server in servers:
        await server.start()
    child = Process("child", [sys.executable, "-c", "import signal; signal.pause()"], log=directory / "child.log")
    child.start()
    print(*[server.process.pid for server in servers], child.pid, flush=True)
    signal.pause()

asyncio.run(main())
"""


def python(code: str, directory: Path) -> Process:
    return Process("child", [sys.executable, "-c", code], log=directory / "child.log")


async def wait_for_output(process: Process, text: str) -> None:
    async def is_there() -> bool:
        return text in process.last_lines()

    await process.wait_until(is_there, 10)


def start_parent(directory: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", PARENT, str(directory)], stdout=subprocess.PIPE)


async def test_children_die_with_a_parent_that_is_killed(directory: Path) -> None:
    with start_parent(directory) as parent:
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(children) == 4
        assert all(is_alive(child) for child in children)
        parent.kill()

        async def are_gone() -> bool:
            return not any(is_alive(child) for child in children)

        await until(are_gone, 10)


async def test_a_child_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    child = python(STUBBORN, tmp_path)
    child.start()
    await wait_for_output(child, "up")
    await child.stop(0.2)
    assert child.exit_code == -signal.SIGKILL


async def test_a_frozen_child_can_be_stopped(tmp_path: Path) -> None:
    child = python("print('up', flush=True); import signal; signal.pause()", tmp_path)
    child.start()
    await wait_for_output(child, "up")
    child.freeze()
    await child.stop(10)
    assert child.exit_code == -signal.SIGTERM


async def test_a_kill_reaches_the_descendants(tmp_path: Path) -> None:
    child = python(FORKING, tmp_path)
    child.start()
    await wait_for_output(child, "up")
    (grandchild,) = psutil.Process(child.pid).children()
    await child.kill()
    assert not is_alive(grandchild)


async def test_a_child_that_ends_instead_of_becoming_ready_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = python("raise SystemExit('no such table')", tmp_path)
    child.start()

    async def never() -> bool:
        return False

    with pytest.raises(ProcessEndedError, match=r"child ended with exit code 1.*\n.*no such table"):
        await child.wait_until(never, 10)


async def test_a_child_that_is_late_is_reported(tmp_path: Path) -> None:
    child = python("import signal; signal.pause()", tmp_path)
    with pytest.raises(NotReadyError, match=r"child did not get there within 0\.1 s"):
        await child.run(0.1)
    assert not child.is_running


async def test_last_words_are_those_of_this_run(tmp_path: Path) -> None:
    await python("print('first')", tmp_path).run(10)
    second = python("print('second')", tmp_path)
    await second.run(10)
    assert second.last_lines() == "second"
