"""Findings of the analysis: gaps, overlaps, rows that others shadow, and rows that nothing reaches.

Exact: what is found is so, and what is not found is not there, unless it is said to be UNDECIDED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from millwright_judgment.domain.analysis import words
from millwright_judgment.domain.analysis.search import Search, Undecided
from millwright_judgment.domain.analysis.space import Box, Space, bits, is_empty, meet, space_of, without
from millwright_judgment.domain.analysis.ways import TooManyWays, Way, Ways
from millwright_judgment.domain.evaluation import index
from millwright_judgment.domain.findings import Code, Finding
from millwright_judgment.domain.ruleset import predicates
from millwright_judgment.domain.ruleset.model import HitPolicy, Rule, Ruleset
from millwright_judgment.domain.ruleset.outputs import Output


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is looked at before something is called undecided."""

    steps: int = 600_000
    """Of the analysis of one ruleset: about two seconds."""
    question_steps: int = 50_000
    """Of one question, such as whether a rule ever speaks."""
    ways: int = 1_000
    """In which the tables before a table come out."""
    gaps: int = 5
    """That are shown of one table."""
    named: int = 6
    """Earlier rules that are looked for of one rule that overlaps them."""


def analyse(ruleset: Ruleset, places: Mapping[str, str], limits: Limits = Limits()) -> tuple[Finding, ...]:
    """Give what there is to find, by table; `places` are the JSON pointers of the rules by their ids."""
    space = space_of(ruleset)
    search = Search(space, limits.steps)
    ways = Ways(search, index.build(ruleset), steps=limits.question_steps, limit=limits.ways)
    found: list[Finding] = []
    for table in range(len(ruleset.tables)):
        found += _Table(ruleset, places, limits, search, ways, table).findings()
    return tuple(found)


class _Table:
    """The analysis of one table."""

    def __init__(
        self,
        ruleset: Ruleset,
        places: Mapping[str, str],
        limits: Limits,
        search: Search,
        ways: Ways,
        table: int,
    ) -> None:
        self._ruleset = ruleset
        self._places = places
        self._limits = limits
        self._search = search
        self._space: Space = search.space
        self._table = ruleset.tables[table]
        self._number = table
        self._rules = range(ways.first_bits[table], ways.first_bits[table + 1])
        self._is_first = self._table.hit_policy is HitPolicy.FIRST
        self._is_last = table == len(ruleset.tables) - 1
        self._ways = ways
        self._silent = 0
        """The rules that never speak."""
        self._undecided: list[str] = []

    def findings(self) -> Iterator[Finding]:
        """Give the findings, and what is undecided last."""
        try:
            ways = [(way, self._ways.active(self._number, way)) for way in self._ways.into(self._number)]
        except (TooManyWays, Undecided):
            yield self._left_undecided("Nothing is known of this table: the tables before come out in too many ways.")
            return
        yield from self._silences(ways)
        yield from self._gaps(ways)
        if self._is_first:
            yield from self._overlaps(ways)
        if self._undecided:
            message = (
                f"Undecided, for the table takes too long to look through: {'; '.join(self._undecided)}. "
                "Split it into tables of fewer columns, or look at these by hand."
            )
            yield self._left_undecided(message)

    def _silences(self, ways: Sequence[tuple[Way, int]]) -> Iterator[Finding]:
        """Tell of each rule that can never speak why."""
        undecided = []
        for rule in self._rules:
            try:
                finding = self._silence(rule, ways)
            except Undecided:
                undecided.append(self._id(rule))
                continue
            if finding is not None:
                self._silent |= 1 << rule
                yield finding
        if undecided:
            self._undecided.append(f"whether {len(undecided):,} rules ever speak ({words.names(undecided)})")

    def _silence(self, rule: int, ways: Sequence[tuple[Way, int]]) -> Finding | None:
        """Tell why a rule can never speak; None if it can."""
        if (empty := self._empty_cell(rule)) is not None:
            return empty
        if self._is_first and self._speaks(rule, ways, earlier=(1 << rule) - 1):
            return None
        if self._speaks(rule, ways, earlier=0):
            return self._shadow(rule, ways) if self._is_first else None
        message = "No input gets here: what the tables before put out never goes with what these cells ask for."
        return self._of_rule(Code.UNREACHABLE_ROW, rule, message)

    def _empty_cell(self, rule: int) -> Finding | None:
        """Give a finding for the first cell that no value of its field gets through."""
        written = self._written(rule)
        scope = self._ruleset.scopes[self._number]
        for column in self._table.inputs:
            predicate = self._ruleset.predicate(self._number, written, column.field)
            if predicates.both(predicate, scope[column.field].domain).is_empty:
                message = f"No value that {column.field} can have gets through `{written.cells[column.field].text}`."
                pointer = f"{self._places[written.id]}/{_escaped(column.id)}"
                return Finding(Code.UNREACHABLE_ROW, pointer, message, self._table.name, written.id, column.field)
        return None

    def _speaks(self, rule: int, ways: Sequence[tuple[Way, int]], earlier: int) -> bool:
        """Tell whether a rule lets an input through that none of its table's `earlier` rules does."""
        is_undecided = False
        for way, active in ways:
            if active >> rule & 1:
                try:
                    box = meet(way.box, self._space.boxes[rule])
                    if self._find([box], way.passed | active & earlier) is not None:
                        return True
                except Undecided:
                    is_undecided = True
        if is_undecided:
            raise Undecided
        return False

    def _shadow(self, rule: int, ways: Sequence[tuple[Way, int]]) -> Finding:
        """Say which earlier rules speak wherever a rule matches."""
        needed = 0
        for way, active in ways:
            box = meet(way.box, self._space.boxes[rule])
            if active >> rule & 1 and not is_empty(box):
                needed |= self._few_enough(box, way.passed, active & (1 << rule) - 1)
        by = [self._id(other) for other in self._rules if needed >> other & 1]
        message = f"It never speaks: all that it matches goes to {words.names(by)} before."
        return self._of_rule(Code.SHADOWED_ROW, rule, message)

    def _few_enough(self, box: Box, passed: int, earlier: int) -> int:
        """Give some of the earlier rules that cover a box all the same: one, if one does."""
        if holding := self._search.holding(box, earlier):
            return holding & -holding
        rules = self._search.touching(box, earlier)
        for other in sorted(bits(rules), reverse=True):
            try:
                if self._find([box], passed | rules & ~(1 << other)) is None:
                    rules &= ~(1 << other)
            except Undecided:
                return rules
        return rules

    def _gaps(self, ways: Sequence[tuple[Way, int]]) -> Iterator[Finding]:
        """Show inputs that no rule of the table lets through: the first boxes of them, each as large as it can be."""
        if self._is_last and self._ruleset.default:
            return
        shown = 0
        for way, active in ways:
            rules = way.passed | active
            boxes = [way.box]
            try:
                while shown < self._limits.gaps and (box := self._find(boxes, rules)) is not None:
                    wide = self._search.widen(box, way.box, rules)
                    boxes = [part for each in boxes for part in without(each, wide)]
                    shown += 1
                    yield self._gap(wide)
            except Undecided:
                self._undecided.append("whether there are further gaps" if shown else "whether there is a gap")
                return

    def _gap(self, box: Box) -> Finding:
        values = self._space.values(box)
        follows = "the judgment is NO_MATCH" if self._is_last else "the table puts out nothing"
        message = f"No rule matches where {words.in_words(values)}: {follows}."
        return self._of_table(Code.GAP, message, words.example(self._ruleset.fields, values))

    def _overlaps(self, ways: Sequence[tuple[Way, int]]) -> Iterator[Finding]:
        """Show where the order of two rules decides, neither being an exception from the other.

        One finding for each later rule, of the earlier ones that say something else of an input that both let through
        and no rule before them does.
        """
        found: dict[int, dict[int, Box]] = {}
        undecided = 0
        alike = self._alike()
        for way, active in ways:
            for rule in bits(active & ~self._silent):
                box = meet(way.box, self._space.boxes[rule])
                if is_empty(box):
                    continue
                later = active & ~self._silent & ~alike[rule] & -1 << rule + 1
                later = self._search.touching(box, later & ~self._search.holding(box, later))
                if self._search.is_spent:
                    undecided += later.bit_count()
                    continue
                before = way.passed | active & (1 << rule) - 1
                for other in bits(later):
                    known = found.setdefault(other, {})
                    if rule in known or len(known) >= self._limits.named:
                        continue
                    try:
                        shared = self._find([meet(box, self._space.boxes[other])], before)
                    except Undecided:
                        undecided += 1
                        continue
                    if shared is not None:
                        known[rule] = shared
        if undecided:
            self._undecided.append(f"whether {undecided:,} pairs of rules overlap")
        for other in sorted(other for other, known in found.items() if known):
            yield self._overlap(other, found[other])

    def _alike(self) -> Mapping[int, int]:
        """Give for each rule those that put out the same, words apart."""
        templates = set(self._ruleset.roles.explanations.values()) if self._is_last else set()
        said = {
            rule: tuple(sorted((name, output) for name, output in written.outputs.items() if name not in templates))
            for rule, written in zip(self._rules, self._table.rules, strict=True)
        }
        groups: dict[tuple[tuple[str, Output], ...], int] = {}
        for rule, outputs in said.items():
            groups[outputs] = groups.get(outputs, 0) | 1 << rule
        return {rule: groups[outputs] for rule, outputs in said.items()}

    def _overlap(self, later: int, earlier: Mapping[int, Box]) -> Finding:
        rules = sorted(earlier)
        values = self._space.values(earlier[rules[0]])
        others = words.names([self._id(rule) for rule in rules])
        message = (
            f"It shares inputs with {others}, and says something else of them: there the order of the rules decides."
        )
        return self._of_rule(Code.OVERLAP, later, message, words.example(self._ruleset.fields, values))

    def _find(self, boxes: Sequence[Box], rules: int) -> Box | None:
        return self._search.uncovered(boxes, rules, self._limits.question_steps)

    def _written(self, rule: int) -> Rule:
        return self._table.rules[rule - self._rules.start]

    def _id(self, rule: int) -> str:
        return self._written(rule).id

    def _of_rule(self, code: Code, rule: int, message: str, example: str = "") -> Finding:
        id_ = self._id(rule)
        return Finding(code, self._places[id_], message, self._table.name, id_, example=example)

    def _of_table(self, code: Code, message: str, example: str = "") -> Finding:
        pointer = self._places[self._table.rules[0].id].rpartition("/")[0]
        return Finding(code, pointer, message, self._table.name, example=example)

    def _left_undecided(self, message: str) -> Finding:
        return self._of_table(Code.UNDECIDED, message)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
