"""The command `millwright-local`: keeps the stack running in a terminal, performs the demo, or makes keys."""

import argparse
import asyncio
import shlex
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from millwright_local.databases import DATABASE
from millwright_local.demo.performance import perform
from millwright_local.errors import StackError
from millwright_local.keys import Keys
from millwright_local.services import SERVICES, Service
from millwright_local.stack import ADMIN_ROLES, ROLES, TENANT, TOKEN_LIFETIME, WORKER_ROLES, Stack, write_tokens

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Result = TypeVar("Result")


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, run the command, exit with its code."""
    parser = argparse.ArgumentParser(prog="millwright-local", description="Millwright on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("up", help="keep the suite running until Ctrl-C; data stays")
    command.add_argument(
        "--home", type=Path, default=Path(".millwright"), metavar="DIR", help="where data, keys and logs live"
    )
    command.set_defaults(run=lambda options, console: up(options.home, console))
    command = commands.add_parser("demo", help="roll back, recover, replay, try; stops everything afterwards")
    command.set_defaults(run=lambda _options, console: demo(console))
    command = commands.add_parser("keys", help="make a signing key, its key set, and tokens; what is there stays")
    command.add_argument("directory", type=Path)
    command.set_defaults(run=lambda options, _console: make_keys(options.directory))
    options = parser.parse_args(arguments)
    sys.exit(asyncio.run(options.run(options, Console(highlight=False))))


async def demo(console: Console) -> int:
    """Perform the demo; a signal breaks it off, and then everything is stopped as well (exit code 130)."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    code = await _unless(stop, perform(console))
    if code is None:
        console.print("\nStopped before the end.")
        return 130
    return code


async def make_keys(directory: Path) -> int:
    """Make the files that stand for an identity provider where there is none, such as under Docker Compose."""
    write_tokens(Keys(directory), directory)
    return 0


async def up(home: Path, console: Console, services: Sequence[Service] = SERVICES) -> int:
    """Run the stack until a signal asks to stop (exit code 0) or one of its processes ends (1)."""
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def report(what: str, seconds: float) -> None:
        console.print(f"  [green]✓[/] {what} [dim]{seconds:.1f} s[/]")

    stack = Stack(home, services=services, report=report)
    try:
        with console.status("Starting …"):
            await _unless(stop, stack.start())
        if stop.is_set():
            return 0
        _describe(stack, console)
        ended = await _unless(stop, stack.wait_for_end())
        if ended is not None:
            raise ended
    except StackError as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    else:
        return 0
    finally:
        await _stop(stack, stop, console)


async def _stop(stack: Stack, stop: asyncio.Event, console: Console) -> None:
    """Stop the stack; a second signal kills what is still draining."""
    stop.clear()
    with console.status("Stopping …"):
        await _unless(stop, stack.stop())
        if stop.is_set():
            await stack.kill()
    console.print("Stopped.")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Result]) -> Result | None:
    """Do the work, unless it must stop first: then cancel it, wait until it has cleaned up, and return None."""
    task = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


def _describe(stack: Stack, console: Console) -> None:
    token_file = _relative(stack.token_file)
    rows = {name: f"{it.address}, metrics at {it.metrics_address}" for name, it in stack.services.items()}
    if stack.postgres:
        rows["postgres"] = stack.postgres.url(DATABASE)
    rows |= {server.name: server.url for server in (stack.valkey, stack.nats) if server}
    rows["token"] = f"{token_file}, {', '.join(ROLES)} of {TENANT}, valid {TOKEN_LIFETIME.days} days"
    rows["admin token"] = f"{_relative(stack.admin_token_file)}, {', '.join(ADMIN_ROLES)} of {TENANT}"
    rows["worker token"] = f"{_relative(stack.worker_token_file)}, {', '.join(WORKER_ROLES)} of {TENANT}"
    rows["logs"] = str(_relative(stack.logs))

    width = max(map(len, rows)) + 2
    lines = [f"{name:{width}}{what}" for name, what in rows.items()]
    # Paths and commands are there to be copied: long ones run over the edge instead of being cut or wrapped.
    console.print("", *lines, "", "Try:", *_buf_lines(stack, token_file), sep="\n  ", markup=False, soft_wrap=True)
    console.print("\nCtrl-C stops everything; the data stays.")


def _buf_lines(stack: Stack, token_file: Path) -> list[str]:
    """Give calls by the `buf` that is installed beside this command: a newcomer has no other tool for gRPC yet."""
    first = next(iter(stack.services.values()))
    buf = f"{shlex.quote(str(_relative(Path(sys.executable).with_name('buf'))))} curl --http2-prior-knowledge"
    call = f'{buf} --protocol grpc -H "authorization: Bearer $(cat {shlex.quote(str(token_file))})"'
    return [
        f"{buf} --list-methods http://{first.address}",
        *(f"{call} http://{process.address}/{process.service.example}" for process in stack.services.values()),
    ]


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    main()
