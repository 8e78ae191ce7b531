"""Inspector is a worker of Millwright's workflows: it takes tasks from a queue and looks at each part of a lot.

It saves how far it is, so that a successor goes on where it stopped: kill it and start it again.
"""

import asyncio
import os
import sys

from millwright_worker import Task, worker

SECONDS_A_PART = 0.5


async def inspect(task: Task) -> dict[str, int]:
    """Look at each part that no attempt before has looked at."""
    parts = int(task.input["parts"])
    looked_at = task.state or 0
    while looked_at < parts:
        await asyncio.sleep(SECONDS_A_PART)
        looked_at += 1
        await task.save(looked_at, percent=100 * looked_at / parts)
        print(f"part {looked_at} of {parts}", flush=True)
    return {"parts": parts}


async def main(endpoint: str, queue: str) -> None:
    """Take tasks until Ctrl-C."""
    async with worker(queue, endpoint=endpoint, token=os.environ["MILLWRIGHT_TOKEN"]) as tasks:
        await tasks.run(inspect)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
