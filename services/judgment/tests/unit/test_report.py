"""The report of a replay: what it says follows from the tally; the page stands alone and takes no text for markup."""

from collections import Counter

import numpy as np
import orjson
import pytest
from judgment_samples.documents import FIELDS, ruleset, weld, weld_rows
from judgment_samples.elements import assert_stands_alone
from judgment_samples.lots import tally_of_lots
from judgment_samples.pages import page
from judgment_samples.reports import COUNT, REFUSED, counted, refusing, replayed, report_of
from millwright_judgment.domain.difference.comparison import Change
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.html.words import LANGUAGES
from millwright_judgment.domain.input.changes import InputChange, Operation
from millwright_judgment.domain.replays import comparing
from millwright_judgment.domain.replays import report as reports
from millwright_judgment.domain.replays import tally as tallies
from millwright_judgment.domain.replays.comparing import Aim, Comparer
from millwright_judgment.domain.replays.html.report import write_page
from millwright_judgment.domain.replays.tally import Tally, TargetTally
from millwright_judgment.domain.replays.words import WARNINGS

HOSTILE = '<script>alert("L1")</script>'


def test_what_a_target_refuses_is_no_changed_outcome_anywhere():
    tally = refusing()
    (target,) = report_of(tally).targets
    assert (tally.changed, tally.errors) == (0, REFUSED)
    assert (target.compared, target.changed_outcomes, target.errors) == (1000, 0, REFUSED)
    assert target.unchanged == 1000 - REFUSED
    rate = target.change_rate
    assert (rate.value, rate.low, rate.method) == (0.0, 0.0, "wilson")
    assert rate.high < 0.01
    assert target.tests == []
    found = {each.value: (each.compared, each.errors, each.change_rate.value) for each in target.segments}
    assert found == {"L1": (REFUSED, REFUSED, 0.0), "L2": (1000 - REFUSED, 0, 0.0)}
    assert all(each.adjusted_p_value == 1.0 for each in target.segments)
    assert "INPUTS_REFUSED" in codes(target)


def test_shares_and_tests_are_of_what_the_target_judges():
    tally = refusing(limit="0.06")
    (target,) = report_of(tally).targets
    changed = sum(0.06 < number % 10 / 100 <= 0.08 for number in range(REFUSED, 1000))
    assert tally.changed == target.changed_outcomes == changed > 0
    assert target.change_rate.value == changed / (1000 - REFUSED)
    assert sum(each.changed for each in tally.targets[0].segments["line"].values()) == changed
    (mcnemar,) = [each.result for each in target.tests if each.result.name == "mcnemar-exact"]
    lots = tally.targets[0].clusters[:, 0]
    assert mcnemar.effect == pytest.approx(27 / 26 * (lots**2).sum() / changed)
    assert (target.escalated, target.relaxed) == (changed, 0)


def test_what_is_refused_before_and_after_is_an_error_and_no_difference():
    narrow = Evaluator(ruleset(weld(inputs=[{**FIELDS[0], "max": 0.1}, *FIELDS[1:]])))
    wide = Evaluator(ruleset(weld()))
    judged = [(1, wide, {"defect_rate": rate, "temperature": 20, "product": "gear"}) for rate in (0.01, 0.2)]
    tally = Tally([TargetTally(), TargetTally()])
    Comparer(Aim(narrow), [Aim(narrow), Aim(wide)]).compare(page(judged), {1: wide}, tally)
    same, wider = tally.targets
    assert (same.unchanged, same.errors, same.judged, same.differing) == (1, 1, 1, 0)
    assert (wider.unchanged, wider.errors, wider.changes[Change.OUTCOME]) == (1, 0, 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_what_is_refused_and_where(language):
    written = write_page("replays/1", report_of(refusing()), language)
    assert {"en": "476 refused, of 1,000", "ko": "476 거부, 전체 1,000"}[language] in written
    assert {"en": "n = 476, 476 refused", "ko": "n = 476, 476 거부"}[language] in written
    assert WARNINGS["INPUTS_REFUSED"][language] in written


def test_what_is_too_much_to_list_is_counted_and_said(monkeypatch):
    monkeypatch.setattr(tallies, "CAUSES", 2)
    monkeypatch.setattr(tallies, "SEGMENTS", 3)
    monkeypatch.setattr(comparing, "DIFFERENCES", 100)
    monkeypatch.setattr(reports, "CAUSES", 1)
    before = Evaluator(ruleset(weld()))
    after = Evaluator(ruleset(weld(levelled())))
    judged = [
        (1, before, {"defect_rate": number % 100 / 1000, "temperature": 70 + number % 70, "product": "widget"})
        for number in range(1000)
    ]
    tally = counted(page(judged, line=[f"L{number % 5}" for number in range(1000)]), before, after)
    kept = Tally.from_json(orjson.loads(orjson.dumps(tally.to_json())))
    report = report_of(kept)
    (target,) = report.targets
    differing = target.compared - target.unchanged
    assert differing > 100
    assert (len(target.causes), target.other_causes.causes) == (1, 1)
    assert target.causes[0].executions + target.other_causes.executions == differing
    assert sum(count for _, _, count in target.other_causes.transitions) == target.other_causes.executions
    assert target.causes[0].share + target.other_causes.share == pytest.approx(1.0)
    assert kept.targets[0].other_causes.total() > 0  # of causes that are not told apart
    assert [each.value for each in sorted(target.segments, key=lambda each: each.value)] == ["L0", "L1", "L2"]
    (other,) = target.other_segments
    assert (other.dimension, other.compared) == ("line", 400)
    assert sum(each.change_rate.value * each.compared for each in target.segments) + other.changed_outcomes == (
        pytest.approx(target.changed_outcomes)
    )
    assert target.differences_left_out == differing - 100
    (caveat,) = [each for each in target.warnings if each.code == "TRUNCATED"]
    for language in LANGUAGES:
        for count in (target.other_causes.executions, other.compared, target.differences_left_out):
            assert f"{count:,}" in caveat.texts[language]
        assert caveat.texts[language] in write_page("replays/1", report, language)
    written = write_page("replays/1", report, "en")
    assert f"others together: {target.other_causes.executions:,}" in written
    assert "n = 400" in written


def levelled():
    """Rows of which each says something else than before, so that there are several causes."""
    return weld_rows(
        r_critical={"confidence": "0.51"},
        r_warm={"confidence": "0.52"},
        r_hot={"outcome": '"critical"'},
        r_normal={"confidence": "0.54"},
    )


def codes(target):
    """The codes of what is to be kept in mind."""
    return {caveat.code for caveat in target.warnings}


def test_the_figures_of_a_report_add_up():
    report = replayed()
    (target,) = report.targets
    kinds = (target.unchanged, target.changed_outcomes, target.changed_details, target.changed_rules, target.errors)
    assert sum(kinds) == target.compared == report.selected == report.reproduced == COUNT
    assert sum(count for _, _, count in target.transitions) == COUNT
    moved = sum(count for before, after, count in target.transitions if before != after)
    assert moved == target.changed_outcomes == target.escalated + target.relaxed
    assert sum(each.executions for each in target.causes) == COUNT - target.unchanged
    assert target.causes[-1].cumulative_share == pytest.approx(1.0)
    assert [each.id for each in target.causes] == [f"c{number}" for number in range(1, len(target.causes) + 1)]


def test_causes_that_change_outcomes_come_first():
    (target,) = replayed().targets
    assert target.causes[0].cause.minimal_edits[0].rule == "r-critical"


def test_lots_that_resemble_one_another_widen_the_interval_and_are_warned_of():
    (target,) = replayed().targets
    assert "design effect" in target.change_rate.method
    assert "CLUSTERED_DATA" in codes(target)


@pytest.mark.parametrize(
    ("lots", "share", "alike", "lines"),
    [(100, 0.1, 0.143, 4), (40, 0.1, 0.143, 4), (400, 0.1, 0.143, 4), (100, 0.1, 0.9, 4), (300, 0.02, 0.3, 6)],
)
def test_lots_that_resemble_one_another_raise_no_more_false_alarms_than_is_claimed(lots, share, alike, lines):
    """Taken for independent, a line was called different in three of four runs, and tests alarmed in half of them."""
    random, runs, alarms = np.random.default_rng(5), 200, Counter()
    for _ in range(runs):
        tally = tally_of_lots(random, lots, share, alike, lines)
        (target,) = report_of(Tally([tally])).targets
        alarms["line"] += any(each.adjusted_p_value < 0.05 for each in target.segments)
        alarms["interval"] += (
            sum(not each.change_rate.low < share < each.change_rate.high for each in target.segments) / lines
        )
        alarms.update(each.result.name for each in target.tests if each.result.p_value < 0.05)
    assert max(alarms.values()) / runs < 0.09, alarms  # 0.05, and what 200 runs may be off by


def test_a_line_that_differs_stands_out_among_its_like():
    (target,) = replayed().targets
    worst, *others = [each for each in target.segments if each.dimension == "line"]
    assert worst.value == "L1"
    assert worst.adjusted_p_value < 0.001
    assert all(each.change_rate.value < worst.change_rate.value for each in others)


def test_few_that_changed_are_a_small_sample():
    rare = {"_id": "r-rare", "temperature": "> 163", "outcome": '"critical"'}
    (target,) = replayed(rows=[rare, *weld_rows()]).targets
    assert 0 < target.changed_outcomes < 5
    assert "SMALL_SAMPLE" in codes(target)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere(language):
    report = replayed(changes=(InputChange("temperature", Operation.ADD, 5.0),))
    written = write_page("replays/1", report, language)
    assert {"svg", "table", "details", "style"} <= assert_stands_alone(written, language)
    assert ("재실행 보고서" in written) is (language == "ko")


def test_what_callers_named_is_text_on_the_page():
    written = write_page("replays/1", replayed(lines=(HOSTILE, "L2")), "en")
    assert HOSTILE not in written
    assert "&lt;script&gt;alert(&quot;L1&quot;)&lt;/script&gt;" in written
