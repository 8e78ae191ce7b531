"""Reports of replays on a weld line: one whose limits get tighter, and one that refuses what a line measures."""

from random import Random

from millwright_judgment.domain.evaluation.rows import Evaluator
from millwright_judgment.domain.executions import Filter
from millwright_judgment.domain.replays.comparing import Aim, Comparer
from millwright_judgment.domain.replays.replay import RECORDED, Order, Selection, Target, TargetKind
from millwright_judgment.domain.replays.report import make_report
from millwright_judgment.domain.replays.tally import Tally, TargetTally

from judgment_samples.documents import FIELDS, ruleset, weld, weld_rows
from judgment_samples.pages import page

COUNT = 3_000
REFUSED = 476
"""Of 1,000 inputs, all on one line."""


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
    return report_of(counted(whole, before, after, changes), changes)


def counted(whole, before, after, changes=()):
    """What is counted of a page."""
    tally = Tally([TargetTally()])
    Comparer(Aim(None), [Aim(after)], changes).compare(whole, {1: before}, tally)
    return tally


def report_of(tally, changes=()):
    """The report made of a tally."""
    target = Target(TargetKind.VERSION, number=2, content_hash="ab")
    order = Order("line.weld", Selection(filter=Filter(ruleset="line.weld")), RECORDED, (target,), tuple(changes))
    return make_report(order, tally, [ruleset(weld()).levels])


def refusing(limit="0.08"):
    """What is counted where the target refuses what line L1 measures, and calls critical what is past the limit."""
    before = Evaluator(ruleset(weld()))
    rows = weld_rows(r_critical={"defect_rate": f"> {limit}"})
    after = Evaluator(ruleset(weld(rows, inputs=[{**FIELDS[0], "max": 0.1}, *FIELDS[1:]])))
    rates = [0.2 if number < REFUSED else number % 10 / 100 for number in range(1000)]
    judged = [(1, before, {"defect_rate": rate, "temperature": 20, "product": "gear"}) for rate in rates]
    lines = ["L1" if number < REFUSED else "L2" for number in range(1000)]
    return counted(page(judged, line=lines, unit=[f"lot-{number // 20}" for number in range(1000)]), before, after)
