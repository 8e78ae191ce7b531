"""A stack and its callers get CPUs of their own where there are two."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Event, Thread

import pytest

from tests.soak.cpus import SHARED, on, split

ASK = "import os; print(*os.sched_getaffinity(0))"

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system gives no choice of CPUs")


def test_each_has_cpus_of_its_own_and_none_is_left_over(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5})
    assert (split().stack, split().callers) == ({1}, {4, 5})


def test_one_cpu_is_shared(monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    assert split() == SHARED


def test_a_process_its_threads_and_what_it_starts_run_where_they_are_to_and_afterwards_where_they_did() -> None:
    before, one = os.sched_getaffinity(0), frozenset({min(os.sched_getaffinity(0))})
    end = Event()
    thread = Thread(target=end.wait)
    thread.start()
    try:
        with on(one):
            assert os.sched_getaffinity(0) == os.sched_getaffinity(thread.native_id) == one
            started = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
            assert {int(it) for it in started.stdout.split()} == one
        assert os.sched_getaffinity(0) == os.sched_getaffinity(thread.native_id) == before
    finally:
        end.set()
        thread.join()
