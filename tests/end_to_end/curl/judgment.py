"""The judgment service's cases."""

import base64
import json
from pathlib import Path

from tests.end_to_end.curl.cases import Call, audited, refused

WELD = Path(__file__).parents[3] / "examples" / "rulesets" / "weld"
ONE, TWO = ((WELD / f"v{number}.json").read_text() for number in (1, 2))
RULESET = "rulesets/quality.weld"
CHANNEL, DRAFT = f"{RULESET}/channels/prod", f"{RULESET}/drafts/tighter"
FIRST, SECOND = (f"{RULESET}/versions/{number}" for number in (1, 2))
SCRAP = {"values": {"defect_rate": {"number": 0.12}, "temperature": {"number": 90}, "product": {"text": "widget"}}}
ROWS = base64.b64encode(b"defect_rate,temperature,product\n0.12,90,widget\n").decode()
BOTH = [{"name": "control", "version": 1, "weight": 1}, {"name": "tighter", "version": 2, "weight": 1}]

RULESETS = (
    Call("RulesetService/PublishVersion", {"document": ONE, "promoteTo": "prod"}, '"number": 1'),
    Call("RulesetService/SaveDraft", {"name": DRAFT, "document": TWO}, DRAFT),
    Call("RulesetService/GetDraft", {"name": DRAFT}, "STATE_DRAFT"),
    Call("RulesetService/ListDrafts", {"ruleset": RULESET}, DRAFT),
    Call("RulesetService/ValidateDraft", {"name": DRAFT, "replayExecutions": 0}, DRAFT),
    Call("RulesetService/PublishVersion", {"draft": DRAFT, "replayExecutions": 0}, '"number": 2'),
    Call("RulesetService/DeleteDraft", {"name": DRAFT}, "{}"),
    refused("RulesetService/GetDraft", {"name": DRAFT}, "DRAFT_NOT_FOUND"),
    Call("RulesetService/GetRuleset", {"name": RULESET}, '"latestVersion": 2'),
    Call("RulesetService/ListRulesets", {}, RULESET),
    Call("RulesetService/GetVersion", {"name": FIRST}, '"semver": "1.0.0"'),
    Call("RulesetService/ListVersions", {"ruleset": RULESET}, '"semver": "1.1.0"'),
    Call("RulesetService/DiffVersions", {"from": FIRST, "to": SECOND}, '"edits"'),
    Call("RulesetService/ExportDecision", {"version": FIRST}, "decisionTableNode"),
    Call(
        "RulesetService/ImportDecision",
        {"decision": json.dumps(json.loads(ONE)["decision"]), "ruleset": "rulesets/quality.other", "semver": "1.0.0"},
        '"document"',
    ),
    audited("PublishVersion", SECOND),
    refused("RulesetService/PublishVersion", {"document": "{"}, "INVALID_RULESET"),
)
RELEASES = (
    Call("ReleaseService/PromoteVersion", {"channel": CHANNEL, "version": 2}, "OPERATION_PROMOTE"),
    Call("ReleaseService/RollbackVersion", {"channel": CHANNEL, "reason": "a test"}, "OPERATION_ROLLBACK"),
    Call("ReleaseService/MarkVersionGood", {"version": SECOND, "reason": "a test"}, "STATE_PUBLISHED"),
    Call("ReleaseService/MarkVersionBad", {"version": SECOND, "reason": "a test"}, "STATE_BAD"),
    Call("ReleaseService/MarkVersionGood", {"version": SECOND, "reason": "a test"}, "STATE_PUBLISHED"),
    Call("ReleaseService/GetChannel", {"name": CHANNEL}, '"version": 1'),
    Call("ReleaseService/ListReleases", {"ruleset": RULESET}, '"revision": "1"'),
    Call("ReleaseService/ListReleaseEvents", {"ruleset": RULESET}, "OPERATION_MARK_BAD"),
    Call(
        "ReleaseService/WatchReleases", {"ruleset": RULESET, "fromSequence": 1}, "OPERATION_ROLLBACK", is_endless=True
    ),
)
JUDGMENTS = (
    Call("JudgmentService/Judge", {"ruleset": RULESET, "input": SCRAP}, '"winningRule": "scrap"'),
    Call("JudgmentService/GetExecution", {"name": "$executions"}, '"outcome": "critical"'),
    Call("JudgmentService/ExplainExecution", {"name": "$executions"}, '"rule": "scrap"'),
    Call("JudgmentService/ListExecutions", {"filter": {"ruleset": RULESET}}, '"winningRule": "scrap"'),
    Call("JudgmentService/JudgeBatch", {"ruleset": RULESET, "inputs": [{"input": SCRAP}]}, '"outcome": "critical"'),
    Call(
        "JudgmentService/JudgeStream",
        tuple({"number": number, "request": {"ruleset": RULESET, "input": SCRAP}} for number in (7, 8)),
        '"winningRule": "scrap"',
    ),
    refused("JudgmentService/Judge", {"ruleset": RULESET, "input": {"values": {"colour": {}}}}, "INVALID_INPUT"),
)
DATASETS = (
    Call(
        "ReplayService/UploadDataset",
        ({"header": {"name": "datasets/lab", "ruleset": RULESET, "format": "FORMAT_CSV"}}, {"data": ROWS}),
        '"name": "datasets/lab"',
    ),
    Call("ReplayService/GetDataset", {"name": "datasets/lab"}, RULESET),
    Call("ReplayService/ListDatasets", {}, "datasets/lab"),
    Call("ReplayService/DeleteDataset", {"name": "datasets/lab"}, "{}"),
    refused("ReplayService/GetDataset", {"name": "datasets/lab"}, "DATASET_NOT_FOUND"),
)
REPLAYS = (
    Call(
        "ReplayService/ReplayExecution",
        {"execution": "$executions", "targets": [{"version": SECOND}]},
        f'"target": "{SECOND}"',
    ),
    Call(
        "ReplayService/CreateReplay",
        {
            "selection": {"filter": {"ruleset": RULESET}},
            "targets": [{"version": FIRST}],
            "inputChanges": [{"field": "defect_rate", "set": {"number": 0.01}}],
        },
        RULESET,
    ),
    Call("ReplayService/WatchReplay", {"name": "$replays", "fromSequence": 0}, "STATE_COMPLETED"),
    Call("ReplayService/GetReplay", {"name": "$replays"}, "STATE_COMPLETED"),
    Call("ReplayService/ListReplays", {"ruleset": RULESET}, "STATE_COMPLETED"),
    Call("ReplayService/ListReplayEvents", {"name": "$replays"}, "STATE_RUNNING"),
    Call("ReplayService/GetReplayReport", {"name": "$replays", "withHtml": True}, "no action was taken"),
    Call("ReplayService/ListReplayDifferences", {"replay": "$replays"}, '"fromOutcome": "critical"'),
    Call("ReplayService/CancelReplay", {"name": "$replays"}, "STATE_COMPLETED"),
)
EXPERIMENTS = (
    Call(
        "ExperimentService/StartExperiment",
        {
            "experiment": {
                "name": "experiments/one",
                "channel": CHANNEL,
                "mode": "MODE_AB",
                "arms": BOTH,
                "enrolmentBp": 1000,
            }
        },
        "STATE_RUNNING",
    ),
    Call("ExperimentService/GetExperiment", {"name": "experiments/one"}, '"enrolmentBp": 1000'),
    Call("ExperimentService/ListExperiments", {"ruleset": RULESET}, "experiments/one"),
    Call("ExperimentService/StepExperiment", {"name": "experiments/one", "enrolmentBp": 2000}, '"enrolmentBp": 2000'),
    Call("ExperimentService/GetExperimentReport", {"name": "experiments/one"}, '"name": "tighter"'),
    Call("ExperimentService/PromoteArm", {"name": "experiments/one", "arm": "tighter"}, "STATE_PROMOTED"),
    Call("ExperimentService/StopExperiment", {"name": "experiments/one", "reason": "a test"}, "STATE_PROMOTED"),
    Call("RulesetService/RetireVersion", {"name": FIRST, "reason": "a test"}, "STATE_RETIRED"),
)
CALLS = (*RULESETS, *RELEASES, *JUDGMENTS, *DATASETS, *REPLAYS, *EXPERIMENTS)
