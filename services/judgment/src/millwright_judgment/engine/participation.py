"""How judgments take part in the experiment that runs on their channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millwright_judgment.commands.storing import Part
from millwright_judgment.domain import experiments
from millwright_judgment.domain.evaluation.rows import Judgment
from millwright_judgment.domain.experiments import Assignment
from millwright_judgment.domain.input.check import Refused
from millwright_judgment.engine.versions import Compiled, Trying


@dataclass(frozen=True, slots=True)
class Participation:
    """A unit that takes part, and its arm."""

    trying: Trying
    unit: str
    assignment: Assignment

    @property
    def version(self) -> Compiled:
        """Give the version that the unit is judged with."""
        return self.trying.versions[self.assignment.arm.version]

    def part(self, tenant: str, given: Mapping[str, object], judged: Judgment | Refused) -> Part:
        """Give what is counted of a judgment of the unit. The versions in the shadow judge the same input here."""
        experiment = self.trying.trial.experiment
        shadows = ((arm.name, self.trying.versions[arm.version]) for arm in self.assignment.shadows)
        return Part(
            tenant=tenant,
            experiment=experiment,
            step=self.trying.step,
            arm=self.assignment.arm.name,
            outcome=_label(judged),
            unit_hash=experiments.unit_hash(experiment, self.unit),
            shadows=tuple((arm, _label(version.evaluator.judge(given))) for arm, version in shadows),
        )


def take_part(trying: Trying, unit: str) -> Participation | None:
    """Give how a unit takes part in an experiment; None if it does not."""
    assignment = experiments.assign(trying.trial, trying.enrolment_bp, trying.step, unit)
    return Participation(trying, unit, assignment) if assignment else None


def _label(judged: Judgment | Refused) -> str:
    """Give what a judgment counts as."""
    return experiments.ERROR if isinstance(judged, Refused) else judged.decision.label
