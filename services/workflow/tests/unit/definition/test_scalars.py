import pytest
from millwright_workflow.domain.definition import Expression, parse, parse_duration, unwrap
from millwright_workflow.domain.definition.scalars import Duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT30S", 30),
        ("PT0.25S", 0.25),
        ("PT1H30M", 5_400),
        ("P1DT1S", 86_401),
        ("P2W", 1_209_600),
        ("P1M", 2_592_000),
        ("P1Y", 31_536_000),
        ("PT0S", 0),
    ],
)
def test_an_iso_8601_duration_has_its_seconds(text, seconds):
    assert parse_duration(text).seconds == seconds


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "30", "1H", "P1H", "PT1D", "-PT1S", "pt1s", "PT1S ", "P101Y", "PT" + "9" * 99 + "S"]
)
def test_other_text_is_no_duration(text):
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("written_form", "value"),
    [
        ({"minutes": 1, "milliseconds": 500}, Duration(60.5)),
        ({"days": 1}, Duration(86_400)),
        ("PT2S", Duration(2)),
        ("${ .pause }", Expression("${ .pause }")),
    ],
)
def test_every_form_of_a_duration_becomes_one_value(written_form, value, written):
    assert parse(written([{"a": {"wait": written_form}}])).document.do[0].task.wait == value


def test_an_expression_gives_its_program_with_and_without_the_wrapping():
    assert Expression("${ .a }").code == Expression(" .a").code == ".a"
    assert unwrap("  ${.a}\n") == ".a"
    assert unwrap("a ${ .b }") is None
    assert unwrap("${}") is None
