"""The third act: a ruleset judges a month, a replay says what its next version would change, and a canary comes back.

Each step does something with the real judgment service and claims what must hold afterwards. What the month's data say
is counted here apart from the service, so that its report is held to the truth.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

from millwright.judgment.v1.experiment_pb2 import Arm, Experiment, ExperimentStep, Guardrail
from millwright.judgment.v1.experiment_service_pb2 import GetExperimentRequest, StartExperimentRequest
from millwright.judgment.v1.judgment_pb2 import Execution
from millwright.judgment.v1.judgment_service_pb2 import (
    ExecutionFilter,
    ExplainExecutionRequest,
    ListExecutionsRequest,
)
from millwright.judgment.v1.release_pb2 import Release
from millwright.judgment.v1.release_service_pb2 import GetChannelRequest, ListReleasesRequest
from millwright.judgment.v1.replay_pb2 import ReplayReport, Selection, Target, TargetReport
from millwright.judgment.v1.replay_service_pb2 import (
    CreateReplayRequest,
    GetReplayReportRequest,
    ReplayExecutionRequest,
)
from millwright.judgment.v1.ruleset_pb2 import GateReport, Version
from millwright.judgment.v1.ruleset_service_pb2 import DiffVersionsRequest, GetVersionRequest, PublishVersionRequest

from millwright_local.demo.line import Weld, month, night
from millwright_local.demo.scene import EXAMPLES, Scene, new_id
from millwright_local.judgment_client import JudgmentClient

DOCUMENTS = EXAMPLES / "rulesets" / "weld"
RULESET = "rulesets/quality.weld"
CHANNEL = f"{RULESET}/channels/prod"
EXPERIMENT = "experiments/scrap-earlier"
LIMITS = (0.06, 0.08)
"""Above the second, version 1 scraps a lot; above the first, version 2 does."""
LOTS_AT_ONCE = 200
MOST_LOTS = 20_000
CANARY_SECONDS = 60.0
_OUTCOMES = ("normal", "warning", "critical")


class Judging:
    """The act."""

    title = "A tighter limit is replayed, tried, and taken back by its guardrail"

    def __init__(self, scene: Scene) -> None:
        self.stage = scene.stage
        self.client = JudgmentClient(scene.stack.endpoints["judgment"], scene.token)
        self._welds: list[Weld] = []

    async def tell(self) -> None:
        """Tell the act from its beginning to its end. Raises ClaimBroken, or what a call raises."""
        async with self.client:
            await self._judge_a_month()
            await self._publish_the_next()
            report = await self._replay()
            await self._explain(report.targets[0])
            await self._try_it()

    async def _judge_a_month(self) -> None:
        with self.stage.step("Judge a month of three welding lines by version 1 of a ruleset"):
            await self._publish(1, promote_to="prod")
            self._welds = month(datetime.now(UTC))
            begin = time.perf_counter()
            judged = await self.client.judge(RULESET, [weld.input for weld in self._welds])
            seconds = time.perf_counter() - begin
            rows = [
                (outcome, count, count / len(judged))
                for outcome in _OUTCOMES
                if (count := sum(it.judgment.outcome == outcome for it in judged))
            ]
            self.stage.table(("outcome", "judgments", "share"), rows)
            measured = f"{len(judged):,} in {seconds:.1f} s"
            are_stored = len({it.name for it in judged}) == len(self._welds)
            self.stage.claim("every weld has a stored judgment", holds=are_stored, measured=measured)

    async def _publish_the_next(self) -> None:
        with self.stage.step("Publish version 2, which scraps from 6 % instead of 8 %: the gate looks back first"):
            gate = await self._publish(2)
            between = DiffVersionsRequest(**{"from": f"{RULESET}/versions/1"}, to=f"{RULESET}/versions/2")
            edits = (await self.client.call(self.client.rulesets.DiffVersions, between)).edits
            self.stage.table(
                ("rule", "field", "before", "after"), ([it.rule, it.field, it.before, it.after] for it in edits)
            )
            self.stage.claim("the two differ by one condition", holds=len(edits) == 1)
            replayed = f"{gate.replay.changed_outcomes:,} of {gate.replay.executions:,}"
            is_told = gate.replay.changed_outcomes == self._between_limits()
            self.stage.claim("the gate says how many outcomes would change", holds=is_told, measured=replayed)

    async def _replay(self) -> ReplayReport:
        with self.stage.step("Replay the month on version 2: a dry run"):
            newest = await self._newest()
            request = CreateReplayRequest(
                selection=Selection(filter=ExecutionFilter(ruleset=RULESET)),
                targets=[Target(version=f"{RULESET}/versions/2")],
                request_id=new_id(),
            )
            created = (await self.client.call(self.client.replays.CreateReplay, request)).replay
            replay = await self.client.end_of(created.name)
            seconds = (replay.end_time.ToNanoseconds() - replay.start_time.ToNanoseconds()) / 1e9
            asking = GetReplayReportRequest(name=replay.name)
            report = (await self.client.call(self.client.replays.GetReplayReport, asking)).report
            self._show(report.targets[0])
            self._claim_replayed(report, seconds)
            stored_nothing = await self._newest() == newest
            self.stage.claim("the replay has stored no judgment", holds=stored_nothing)
        return report

    def _show(self, target: TargetReport) -> None:
        """Show the transition matrix, the causes, and where it happens."""
        counts = {(it.from_outcome, it.to_outcome): it.executions for it in target.transitions}
        self.stage.table(
            ("before, after", *_OUTCOMES),
            ([before, *(counts.get((before, after), 0) for after in _OUTCOMES)] for before in _OUTCOMES),
        )
        self.stage.table(
            ("cause", "explains", "share", "in words"),
            ([it.cause.id, it.executions, it.share, it.cause.texts["en"]] for it in target.causes),
        )
        self.stage.table(
            ("line", "judgments", "changed"),
            ([it.value, it.compared, it.change_rate.value] for it in target.segments if it.dimension == "line"),
        )

    def _claim_replayed(self, report: ReplayReport, seconds: float) -> None:
        target = report.targets[0]
        is_whole = report.selected == report.reproduced == len(self._welds)
        measured = f"{report.reproduced:,} of {report.selected:,}, in {seconds:.1f} s"
        self.stage.claim("all came out on version 1 as recorded, then on version 2", holds=is_whole, measured=measured)
        expected = self._between_limits()
        rate = target.change_rate
        measured = f"{target.changed_outcomes:,}, {rate.value:.1%} (95 %: {rate.low:.1%} to {rate.high:.1%})"
        is_true = target.changed_outcomes == target.escalated == expected
        self.stage.claim("the welds between the limits change, and no other", holds=is_true, measured=measured)
        explained = sum(it.executions for it in target.causes)
        self.stage.claim("the causes explain every change", holds=explained == expected)

    async def _explain(self, target: TargetReport) -> None:
        with self.stage.step("Look at the change that is nearest to a limit"):
            example = target.causes[0].examples[0]
            asking = ReplayExecutionRequest(execution=example, targets=[Target(version=f"{RULESET}/versions/2")])
            replayed = await self.client.call(self.client.replays.ReplayExecution, asking)
            (comparison,) = replayed.comparisons
            flip = comparison.cause.flips[0]
            self.stage.table(
                ("version", "outcome", "rule", "asks of the defect rate", "margin"),
                [
                    _side("1", replayed.original.judgment, flip.cell_before, flip.margin_before),
                    _side("2", comparison.judgment, flip.cell_after, flip.margin_after),
                ],
            )
            why = await self.client.call(self.client.judgments.ExplainExecution, ExplainExecutionRequest(name=example))
            self.stage.say(why.explanation.texts["en"])
            is_between = LIMITS[0] < flip.value.number <= LIMITS[1]
            measured = f"a defect rate of {flip.value.number:g}"
            self.stage.claim("one value between the limits turned one rule", holds=is_between, measured=measured)

    async def _try_it(self) -> None:
        with self.stage.step("Send version 2 out to half of the lots, in a night with bad material"):
            await self._start_canary()
            begin = time.perf_counter()
            judged = await self._judge_until_it_ends()
            seconds = time.perf_counter() - begin
            ended = await self._experiment()
            self.stage.say(ended.end_reason)
            by_two = sum(it.version.endswith("/2") for it in judged)
            measured = f"after {len(judged):,} lots, {by_two:,} of them on version 2, in {seconds:.1f} s"
            is_back = ended.state == Experiment.STATE_ROLLED_BACK
            self.stage.claim("the guardrail breaks, and prod is back by itself", holds=is_back, measured=measured)
            await self._claim_taken_back()
            self._claim_sticky(judged)

    async def _claim_taken_back(self) -> None:
        channel = (await self.client.call(self.client.releases.GetChannel, GetChannelRequest(name=CHANNEL))).channel
        asking = GetVersionRequest(name=f"{RULESET}/versions/2")
        version = (await self.client.call(self.client.rulesets.GetVersion, asking)).version
        is_bad = version.state == Version.STATE_BAD
        holds = channel.version == 1 and not channel.experiment and is_bad
        self.stage.claim("prod is on version 1 alone, and version 2 is marked bad", holds=holds)
        logged = ListReleasesRequest(ruleset=RULESET)
        newest = (await self.client.call(self.client.releases.ListReleases, logged)).releases[0]
        is_told = newest.operation == Release.OPERATION_ROLLBACK and newest.automatic and bool(newest.evidence)
        self.stage.claim("the log says that nobody decided it, and on what grounds", holds=is_told)
        after = await self.client.judge(RULESET, _inputs(range(MOST_LOTS, MOST_LOTS + LOTS_AT_ONCE)))
        by_one = all(it.version.endswith("/1") for it in after)
        measured = f"{len(after)} of {LOTS_AT_ONCE} lots"
        self.stage.claim("all that comes afterwards is judged by version 1", holds=by_one, measured=measured)

    def _claim_sticky(self, judged: list[Execution]) -> None:
        """The first lots were judged twice while the canary ran."""
        arms: dict[str, set[str]] = {}
        for execution in judged:
            arms.setdefault(execution.segment.unit, set()).add(execution.arm)
        twice = len(judged) - len(arms)
        is_sticky = twice > 0 and all(len(each) == 1 for each in arms.values())
        measured = f"{twice} lots judged twice"
        self.stage.claim("a lot had one version, whenever it was judged", holds=is_sticky, measured=measured)

    async def _start_canary(self) -> None:
        experiment = Experiment(
            name=EXPERIMENT,
            channel=CHANNEL,
            mode=Experiment.MODE_CANARY,
            arms=[Arm(name="tighter", version=2)],
            steps=[ExperimentStep(weight_bp=5_000)],
            guardrails=[
                Guardrail(measure=Guardrail.MEASURE_OUTCOME_RATE, outcome="critical", max_increase=0.05),
            ],
        )
        request = StartExperimentRequest(experiment=experiment, reason="scrap earlier", request_id=new_id())
        await self.client.call(self.client.experiments.StartExperiment, request)
        self.stage.say("Its guardrail: at most 5 % more critical lots than on version 1.")

    async def _judge_until_it_ends(self) -> list[Execution]:
        """Judge lot after lot, the first of them twice, until the experiment has ended; give what took part in it."""
        judged: list[Execution] = await self.client.judge(RULESET, _inputs(range(LOTS_AT_ONCE // 4)))
        async with asyncio.timeout(CANARY_SECONDS):
            for begin in range(0, MOST_LOTS, LOTS_AT_ONCE):
                if (await self._experiment()).state != Experiment.STATE_RUNNING:
                    break
                judged += await self.client.judge(RULESET, _inputs(range(begin, begin + LOTS_AT_ONCE)))
        return [it for it in judged if it.experiment]

    async def _publish(self, number: int, promote_to: str = "") -> GateReport:
        document = (DOCUMENTS / f"v{number}.json").read_text()
        request = PublishVersionRequest(document=document, promote_to=promote_to, request_id=new_id())
        return (await self.client.call(self.client.rulesets.PublishVersion, request)).version.gate_report

    async def _experiment(self) -> Experiment:
        asking = GetExperimentRequest(name=EXPERIMENT)
        return (await self.client.call(self.client.experiments.GetExperiment, asking)).experiment

    async def _newest(self) -> str:
        """Give the name of the newest execution."""
        asking = ListExecutionsRequest(page_size=1)
        return (await self.client.call(self.client.judgments.ListExecutions, asking)).executions[0].name

    def _between_limits(self) -> int:
        low, high = LIMITS
        return sum(low < weld.defect_rate <= high for weld in self._welds)


def _inputs(numbers: range) -> list[Any]:
    return [weld.input for weld in night(datetime.now(UTC), numbers)]


def _side(version: str, judgment: Any, cell: str, margin: float) -> list[str]:
    return [version, judgment.outcome, judgment.winning_rule, cell, f"{margin:+.3f}"]
