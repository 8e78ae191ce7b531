"""The report of a replay: what it says follows from the tally; the page stands alone and takes no text for markup."""

from random import Random

import pytest
from judgment_samples.documents import ruleset, weld, weld_rows
from judgment_samples.elements import assert_stands_alone
from judgment_samples.pages import page
from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.html.words import LANGUAGES
from millwright_judgment.domain.input.changes import InputChange, Operation
from millwright_judgment.domain.replays.comparing import Aim, Comparer
from millwright_judgment.domain.replays.html.report import write_page
from millwright_judgment.domain.replays.replay import RECORDED, Order, Selection, Target, TargetKind
from millwright_judgment.domain.replays.report import make_report
from millwright_judgment.domain.replays.tally import Tally, TargetTally

COUNT = 3_000
HOSTILE = '<script>alert("L1")</script>'


def replayed(changes=(), rows=None, lines=("L1", "L2", "L3")):
    """A report on versions of which the later calls more critical; on the first line, of inputs that are worse."""
    random = Random(11)
    before = Evaluator(ruleset(weld()))
    tighter = weld_rows(r_critical={"defect_rate": "> 0.06"}, r_hot={"confidence": "0.6"})
    after = Evaluator(ruleset(weld(rows or tighter)))
    judged, segments = [], []
    for number in range(COUNT):
        line = lines[number // 20 % len(lines)]
        worse = 0.02 if line == lines[0] else 0.0
        given = {
            "defect_rate": round(min(0.2, max(0, random.gauss(0.045 + worse, 0.01))), 3),
            "temperature": round(random.gauss(100, 20), 1),
            "product": random.choice(["widget", "gear"]),
        }
        judged.append((1, before, given))
        segments.append(line)
    whole = page(judged, line=segments, unit=[f"lot-{number // 20}" for number in range(COUNT)])
    tally = Tally([TargetTally()])
    Comparer(Aim(None), [Aim(after)], changes).compare(whole, {1: before}, tally)
    target = Target(TargetKind.VERSION, number=2, content_hash="ab")
    order = Order("line.weld", Selection(filter=Filter(ruleset="line.weld")), RECORDED, (target,), tuple(changes))
    return make_report(order, tally, [after.ruleset.levels])


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
    assert "CLUSTERED_DATA" in target.warnings


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
    assert "SMALL_SAMPLE" in target.warnings


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
