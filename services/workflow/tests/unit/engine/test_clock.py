"""The engine's time is the database's, whatever this machine's wall clock says."""

from datetime import UTC, datetime, timedelta

from millwright_workflow.engine.running.clock import Clock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Machine(Clock):
    """A machine whose clocks a test moves."""

    def __init__(self):
        super().__init__()
        self.wall_time = NOON
        self.seconds = 100.0

    def wall(self):
        return self.wall_time

    def monotonic(self):
        return self.seconds


def test_until_the_database_has_told_the_time_it_is_that_of_the_wall_clock():
    assert Machine().now() == NOON


def test_a_wall_clock_that_jumps_changes_nothing():
    machine = Machine()
    machine.set(NOON, machine.seconds)
    machine.seconds += 90
    for jump in (timedelta(hours=1), timedelta(hours=-2), timedelta(days=400)):
        machine.wall_time += jump
        assert machine.now() == NOON + timedelta(seconds=90)


def test_each_renewal_takes_over_the_time_anew():
    machine = Machine()
    machine.set(NOON, machine.seconds)
    machine.seconds += 10
    machine.set(NOON + timedelta(seconds=11), machine.seconds)
    machine.seconds += 1
    assert machine.now() == NOON + timedelta(seconds=12)


def test_an_answer_counts_from_the_middle_of_its_journey():
    machine = Machine()
    machine.seconds += 4
    machine.set(NOON, machine.seconds - 4)
    assert machine.now() == NOON + timedelta(seconds=2)


def test_a_slow_answer_does_not_take_the_place_of_a_quick_one_until_that_is_old():
    machine = Machine()
    machine.set(NOON, machine.seconds)
    machine.seconds += 10
    machine.set(NOON, machine.seconds - 2)
    assert machine.now() == NOON + timedelta(seconds=10)
    machine.seconds += 1000
    machine.set(NOON, machine.seconds - 2)
    assert machine.now() == NOON + timedelta(seconds=1)
