"""Transactions of a database in memory: each a generator that locks, lets time pass, and changes all at its end.

What a transaction changes it changes after its last `yield`, so that it is done wholly or not at all. Locks are held
until then, exclusive or shared, as rows' locks are in Postgres at READ COMMITTED.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from workflow_simulation.loop import NEUTRAL


@dataclass(frozen=True, slots=True)
class Lock:
    """Asks for rows, in this order."""

    rows: tuple[Hashable, ...]
    is_shared: bool = False


PASS = "time passes"
"""Between two statements time may pass."""

Body = Generator[Lock | str, None, Any]
Settle = Callable[[Any, BaseException | None], None]


class Transaction:
    """One that is under way."""

    def __init__(self, body: Body, settle: Settle) -> None:
        self.body = body
        self.settle = settle
        self.wanted: deque[tuple[Hashable, bool]] = deque()
        """Rows to be locked before it goes on."""
        self.locks: list[Lock] = []
        """Locks that it has, as long as no time passes."""
        self.held: list[Hashable] = []
        self.is_over = False


class Transactions:
    """Runs transactions. `delay` says how long a statement takes."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self._holders: dict[Hashable, dict[Transaction, bool]] = {}
        self._queues: dict[Hashable, deque[Transaction]] = {}
        self._open: set[Transaction] = set()

    def begin(self, body: Body, settle: Settle) -> Transaction:
        """Begin a transaction; `settle` is called with its result, or with why it failed."""
        transaction = Transaction(body, settle)
        self._open.add(transaction)
        self._go_on(transaction)
        return transaction

    def abort(self, transaction: Transaction, error: BaseException) -> None:
        """End one that has not committed; nothing of it stays."""
        if not transaction.is_over:
            transaction.body.close()
            self._end(transaction, None, error)

    def abort_all(self, error: Callable[[], BaseException]) -> None:
        """End all, as a server does that ends."""
        for transaction in list(self._open):
            self.abort(transaction, error())

    def _go_on(self, transaction: Transaction) -> None:
        while not transaction.is_over:
            if transaction.wanted and not self._take(transaction):
                return
            try:
                wish = next(transaction.body)
            except StopIteration as end:
                self._end(transaction, end.value, None)
                return
            except Exception as error:  # noqa: BLE001 - it is the caller's
                self._end(transaction, None, error)
                return
            if isinstance(wish, Lock):
                transaction.locks.append(wish)
                if self._holders:  # where nobody holds anything, and until time passes, nobody can be in the way
                    self._want(transaction)
            elif seconds := self._delay():
                self._want(transaction)
                self._take(transaction)
                asyncio.get_running_loop().call_later(seconds, self._go_on, transaction, context=NEUTRAL)
                return

    def _want(self, transaction: Transaction) -> None:
        for lock in transaction.locks:
            transaction.wanted.extend((row, lock.is_shared) for row in lock.rows)
        transaction.locks = []

    def _take(self, transaction: Transaction) -> bool:
        """Take the locks that are wanted; tell whether all could be had."""
        while transaction.wanted:
            row, is_shared = transaction.wanted[0]
            holders = self._holders.setdefault(row, {})
            others = [shared for holder, shared in holders.items() if holder is not transaction]
            if others and not (is_shared and all(others)):
                queue = self._queues.setdefault(row, deque())
                if transaction not in queue:
                    queue.append(transaction)
                return False
            holders[transaction] = is_shared and holders.get(transaction, True)
            transaction.held.append(row)
            transaction.wanted.popleft()
        return True

    def _end(self, transaction: Transaction, result: Any, error: BaseException | None) -> None:
        transaction.is_over = True
        self._open.discard(transaction)
        freed: Iterable[Transaction] = []
        for row in transaction.held:
            holders = self._holders[row]
            holders.pop(transaction, None)
            if not holders:
                del self._holders[row]
            freed = [*freed, *self._queues.pop(row, ())]
        transaction.held = []
        transaction.settle(result, error)
        for waiting in freed:
            self._go_on(waiting)
