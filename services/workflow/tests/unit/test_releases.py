"""Any sequence of wishes leaves a release log and channels that hold together."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_runtime.errors import MillwrightError
from millwright_workflow.domain import errors, releases
from millwright_workflow.domain.releases import Actor, Ledger, Operation, Promotion, Rollback, RunPolicy, Version

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
KIM = Actor("kim", "it leaks")


@dataclass
class Book:
    """A workflow's releases in memory: decides upon them and writes down what was decided."""

    versions: dict = field(default_factory=dict)
    channels: dict = field(default_factory=dict)
    log: list = field(default_factory=list)
    time: datetime = START

    def ledger(self):
        """Give what a decision is based on; a minute has passed."""
        self.time += timedelta(minutes=1)
        return Ledger("plant.line", len(self.versions), len(self.log), self.time, self.channels, dict(self.versions))

    def write(self, decision):
        """Write a decision, and give it."""
        if decision.release:
            self.log.append(decision.release)
            if decision.channel:
                self.channels[decision.channel.channel] = decision.channel
            for number, reason in (decision.marks or {}).items():
                self.versions[number] = replace(self.versions[number], bad_reason=reason)
        return decision

    def publish(self):
        """Publish the next version."""
        number, ledger = len(self.versions) + 1, self.ledger()
        version = Version(number, f"{number}.0.0", b"", None, "kim", self.time)
        self.versions[number] = version
        return self.write(releases.publish(ledger, version, KIM))

    def promote(self, version, channel="prod", actor=KIM, **wish):
        """Promote a version."""
        return self.write(releases.promote(self.ledger(), Promotion(channel, version, **wish), actor))

    def rollback(self, channel="prod", actor=KIM, **wish):
        """Roll a channel back."""
        return self.write(releases.rollback(self.ledger(), Rollback(channel, **wish), actor, self.visited(channel)))

    def mark_bad(self, version):
        """Mark a version bad."""
        return self.write(releases.mark_bad(self.ledger(), version, KIM))

    def mark_good(self, version):
        """Take a mark back."""
        return self.write(releases.mark_good(self.ledger(), version, KIM))

    def visited(self, channel):
        """Give the versions that a channel pointed to, each once, the last one first."""
        return list(dict.fromkeys(row.to_version for row in reversed(self.log) if row.channel == channel))


@pytest.fixture
def book():
    """Three versions, and `prod` that has pointed to each in turn."""
    book = Book()
    for number in (1, 2, 3):
        book.publish()
        book.promote(number)
    return book


def test_a_default_target_is_where_the_channel_pointed_last_among_the_good(book):
    book.promote(1)
    assert book.rollback().channel.version == 3


def test_a_default_target_is_never_bad(book):
    book.mark_bad(2)
    assert book.rollback().channel.version == 1


def test_without_a_good_version_to_go_back_to_there_is_no_target(book):
    book.mark_bad(1)
    book.mark_bad(2)
    with pytest.raises(errors.NoRollbackTarget):
        book.rollback()


def test_a_bad_target_must_be_meant(book):
    book.mark_bad(1)
    with pytest.raises(errors.VersionBad):
        book.rollback(target_version=1)
    assert book.rollback(target_version=1, allow_bad_target=True).marks == {1: None, 3: "it leaks"}


def test_a_rollback_of_a_version_that_is_left_already_changes_nothing(book):
    assert book.rollback(source_version=2).changed is False
    assert book.rollback(source_version=3).channel.version == 2
    assert book.rollback(source_version=3).changed is False


def test_a_freeze_ends_when_its_time_has_come(book):
    revision = book.rollback(freeze=timedelta(minutes=5)).release.revision
    robot = Actor("robot", "", automatic=True)
    with pytest.raises(errors.ChannelFrozen):
        book.promote(1, actor=robot, expected_revision=revision)
    book.time += timedelta(minutes=4)
    assert book.promote(1, actor=robot, expected_revision=revision).changed


def test_a_promotion_by_a_person_does_not_thaw_the_channel(book):
    book.rollback()
    book.promote(1)
    with pytest.raises(errors.ChannelFrozen):
        book.promote(2, actor=Actor("robot", "", automatic=True))


def test_a_version_that_another_channel_points_to_can_be_left_and_is_bad_for_both(book):
    """The version is what is wrong; who rolls back must not wait for the other channel."""
    book.promote(3, channel="line-2")
    book.rollback()
    assert book.versions[book.channels["line-2"].version].is_bad


numbers = st.integers(1, 6)
channels = st.sampled_from(["prod", "line-2"])
revisions = st.none() | st.integers(0, 8)
wishes = st.one_of(
    st.tuples(st.just("publish")),
    st.tuples(st.just("promote"), numbers, channels, st.fixed_dictionaries({"expected_revision": revisions})),
    st.tuples(
        st.just("rollback"),
        channels,
        st.fixed_dictionaries(
            {
                "target_version": st.none() | numbers,
                "expected_revision": revisions,
                "keep_source_good": st.booleans(),
                "allow_bad_target": st.booleans(),
                "run_policy": st.sampled_from([RunPolicy.DRAIN, RunPolicy.PAUSE, RunPolicy.CANCEL]),
            }
        ),
    ),
    st.tuples(st.just("mark_bad"), numbers),
    st.tuples(st.just("mark_good"), numbers),
)


def play(book, wish):
    """Do what is wished; give the decision, or None if it was refused."""
    name, *arguments = wish
    options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    try:
        return getattr(book, name)(*arguments, **options)
    except MillwrightError:
        return None


def channels_by_the_log(log):
    """Give where each channel must point, by the log alone, and hold each row to the one before."""
    points = {}
    for row in log:
        if row.channel:
            assert row.from_version == points.get(row.channel)
            assert row.to_version != row.from_version
            points[row.channel] = row.to_version
    return points


@given(st.lists(wishes, max_size=40))
def test_whatever_is_wished_the_log_is_dense_and_tells_where_every_channel_points(sequence):
    book = Book()
    for wish in sequence:
        play(book, wish)
    assert [row.revision for row in book.log] == list(range(1, len(book.log) + 1))
    assert {name: channel.version for name, channel in book.channels.items()} == channels_by_the_log(book.log)
    assert all(book.log[channel.revision - 1].channel == name for name, channel in book.channels.items())


@given(st.lists(wishes, max_size=40))
def test_no_decision_points_a_channel_to_a_bad_version(sequence):
    book = Book()
    for wish in sequence:
        decision = play(book, wish)
        if decision and decision.release and decision.channel:
            assert not book.versions[decision.channel.version].is_bad


@given(st.lists(wishes, max_size=40))
def test_a_channel_points_to_a_bad_version_only_if_another_channel_was_rolled_back_from_it(sequence):
    book = Book()
    for wish in sequence:
        play(book, wish)
    for name, channel in book.channels.items():
        if book.versions[channel.version].is_bad:
            later = book.log[channel.revision :]
            marks = [row for row in later if row.marked_bad and row.from_version == channel.version]
            assert marks
            assert all(row.operation is Operation.ROLLBACK and row.channel != name for row in marks)


@given(st.lists(wishes, max_size=40))
def test_what_is_refused_or_unchanged_writes_nothing(sequence):
    book = Book()
    for wish in sequence:
        before = (list(book.log), dict(book.channels), {n: v.bad_reason for n, v in book.versions.items()})
        decision = play(book, wish)
        if decision is None or not decision.changed:
            after = (list(book.log), dict(book.channels), {n: v.bad_reason for n, v in book.versions.items()})
            assert after == before
