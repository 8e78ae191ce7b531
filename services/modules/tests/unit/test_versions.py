"""Versions and ranges of versions."""

import random

import pytest
from millwright_modules.domain.versions import Range, Version

ORDERED = [
    "0.0.1",
    "0.1.0",
    "1.0.0-0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0-rc.1",
    "2.0.0",
]


def test_versions_are_ordered_as_the_standard_says():
    shuffled = random.Random(1).sample(ORDERED, len(ORDERED))
    assert [str(version) for version in sorted(map(Version.parse, shuffled))] == ORDERED


def test_what_was_built_does_not_count():
    assert Version.parse("1.0.0+build.7") == Version.parse("1.0.0+other")
    assert hash(Version.parse("1.0.0+build.7")) == hash(Version.parse("1.0.0"))


@pytest.mark.parametrize("text", [
    "", "1", "1.2", "01.2.3", "1.2.3.4", "v1.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.x", "1.2.3\n",
    "1.2.1234567890", "١.٢.٣", "1.2.3-" + "a" * 99,
])  # fmt: skip
def test_what_is_no_version_is_refused(text):
    with pytest.raises(ValueError, match="no version"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.3", ["1.2.3"], ["1.2.4", "1.2.3-rc.1"]),
        ("=1.2.3", ["1.2.3"], ["1.2.2"]),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0", "2.0.0-rc.1", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "1.0.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^1.2", ["1.2.0", "1.9.9"], ["2.0.0", "1.1.9"]),
        ("^0", ["0.0.0", "0.9.0"], ["1.0.0"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("1.2.x", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("1.x", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.0"]),
        ("1", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        (">1.2", ["1.3.0"], ["1.2.9", "1.2.0"]),
        (">=1.2", ["1.2.0"], ["1.1.9"]),
        ("<1.2", ["1.1.9"], ["1.2.0"]),
        ("<=1.2", ["1.2.9"], ["1.3.0"]),
        (">1.2.3 <=1.4.0", ["1.2.4", "1.4.0"], ["1.2.3", "1.4.1"]),
        (">= 1.2.0  < 2.0.0", ["1.2.0"], ["2.0.0"]),
        ("^1.0.0 || ^3.0.0", ["1.5.0", "3.1.0"], ["2.0.0"]),
        (">=1.0.0-rc.1 <2.0.0", ["1.0.0-rc.2", "1.0.0", "1.5.0"], ["1.1.0-rc.1", "1.0.0-beta"]),
        ("<*", [], ["0.0.0", "1.0.0"]),
    ],
)
def test_a_range_holds_what_it_says(text, inside, outside):
    versions = Range.parse(text)
    assert [version for version in inside if Version.parse(version) not in versions] == []
    assert [version for version in outside if Version.parse(version) in versions] == []


@pytest.mark.parametrize("text", [
    "", " ", "latest", "1.2.3.4", "1.2.3 ||", "^", ">= <2", "1.2.3^2", "1.0.0 - 2.0.0", "!1.2.3", "^" * 300, "1.2.3-",
])  # fmt: skip
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="range"):
        Range.parse(text)
