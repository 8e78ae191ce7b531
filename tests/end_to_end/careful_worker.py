"""A worker as a process of its own, for tests that kill and freeze it: counts to the task's input, and saves each step.

Arguments: endpoint, token, queue. Tells the URL in the task's input of each step before it saves it.
"""

import asyncio
import sys
import urllib.request

from millwright_worker import Task, worker


async def count(task: Task) -> dict[str, int]:
    """Count on from where the last attempt stood."""
    begin = task.state or 0
    for step in range(begin, task.input["steps"]):
        await asyncio.to_thread(_tell, f"{task.input['machine']}/{task.attempt}-{step}")
        await task.save(step + 1, percent=100 * (step + 1) / task.input["steps"])
    return {"begin": begin, "attempt": task.attempt}


def _tell(url: str) -> None:
    with urllib.request.urlopen(url) as answer:
        answer.read()


async def main() -> None:
    """Work until killed."""
    endpoint, token, queue = sys.argv[1:]
    async with worker(queue, endpoint=endpoint, token=token, plaintext=True) as tasks:
        await tasks.run(count)


if __name__ == "__main__":
    asyncio.run(main())
