"""`up` as a person meets it: it says where everything is, and ends as it was asked to or as it must."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from millwright_local.ports import LOOPBACK, find_free_port
from millwright_local.processes import is_alive, until
from millwright_local.service_process import DRAIN_SECONDS

PLAIN_SERVICE = Path(__file__).with_name("plain_service.py")


@contextmanager
def running_up(home: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `up` and yield the process with what it printed until it was ready."""
    environment = settings | {
        "MILLWRIGHT_WORKFLOW_LISTEN": f"{LOOPBACK}:{find_free_port()}",
        "MILLWRIGHT_WORKFLOW_METRICS_LISTEN": f"{LOOPBACK}:{find_free_port()}",
    }
    process = subprocess.Popen(
        [sys.executable, str(PLAIN_SERVICE), "up", str(home)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | environment,
    )
    with process:
        try:
            assert process.stdout is not None
            printed = ""
            for line in process.stdout:
                printed += line
                if "Ctrl-C stops everything" in line:
                    break
            yield process, printed
        finally:
            process.kill()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_up_prints_where_everything_is(directory: Path) -> None:
    with running_up(directory) as (_, printed):
        for name in ("workflow", "postgres", "valkey", "nats"):
            assert f"✓ {name}" in printed
        assert str(directory / "token") in printed
        assert f"{directory / 'admin-token'}, admin of" in printed
        assert f"{directory / 'worker-token'}, worker of" in printed
        assert str(directory / "logs") in printed
        listing, call = (line.strip() for line in printed.splitlines() if "buf curl" in line)
        assert f'-H "authorization: Bearer $(cat {directory / "token"})"' in call
        assert Path(listing.split()[0]).is_file()
        for name in ("postgres", "valkey", "nats", "workflow"):
            assert (directory / "logs" / f"{name}.log").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_everything_when_asked(number: signal.Signals, directory: Path) -> None:
    with running_up(directory) as (process, _):
        family = children(process)
        asked = time.monotonic()
        process.send_signal(number)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert time.monotonic() - asked < 10
        assert "Stopped." in output
        assert not any(is_alive(child) for child in family)
        assert not (directory / "stack.json").exists()


def test_up_says_which_process_ended_and_shows_its_log(directory: Path) -> None:
    with running_up(directory) as (process, _):
        (service,) = [child for child in children(process) if "serve" in child.cmdline()]
        service.kill()
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "workflow ended with exit code -9" in output
        assert "starts so far: 1" in output


async def test_up_kills_what_still_drains_at_the_second_signal(directory: Path) -> None:
    with running_up(directory, PLAIN_DRAINS_FOREVER="1") as (process, _):
        family = children(process)
        process.send_signal(signal.SIGINT)

        async def drains() -> bool:
            return "draining" in (directory / "logs" / "workflow.log").read_text()

        await until(drains, 10)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert time.monotonic() - asked < DRAIN_SECONDS
        assert not any(is_alive(child) for child in family)
