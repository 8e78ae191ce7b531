"""The services of the stack: a row each. Everything else here is written once for all of them."""

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Service:
    """What the stack must know to run one service."""

    name: str
    port: int
    metrics_port: int
    health: str  # the gRPC service whose health stands for the process
    example: str  # a read that answers with an empty request
    command: tuple[str, ...]  # `migrate` or `serve` is added to it
    calls: tuple[tuple[str, str], ...] = ()  # services that it calls with tokens of its own, by the setting for each

    @property
    def role(self) -> str:
        """The database role that `serve` logs in as: it owns nothing."""
        return f"millwright_{self.name}"

    @property
    def owner_role(self) -> str:
        """The database role that `migrate` logs in as: it owns the service's schemas."""
        return f"millwright_{self.name}_owner"

    def setting(self, name: str) -> str:
        """Return the environment variable of one of the service's settings."""
        return f"MILLWRIGHT_{self.name.upper()}_{name}"


SERVICES = (
    Service(
        name="workflow",
        port=50051,
        metrics_port=9151,
        health="millwright.workflow.v1.WorkflowService",
        example="millwright.workflow.v1.WorkflowService/ListWorkflows",
        command=(sys.executable, "-m", "millwright_workflow"),
        calls=(("JUDGMENT_ENDPOINT", "judgment"), ("ETL_ENDPOINT", "etl"), ("MODULES_ENDPOINT", "modules")),
    ),
    Service(
        name="judgment",
        port=50052,
        metrics_port=9152,
        health="millwright.judgment.v1.RulesetService",
        example="millwright.judgment.v1.RulesetService/ListRulesets",
        command=(sys.executable, "-m", "millwright_judgment"),
    ),
    Service(
        name="etl",
        port=50053,
        metrics_port=9153,
        health="millwright.etl.v1.IngestService",
        example="millwright.etl.v1.PipelineService/ListRuns",
        command=(sys.executable, "-m", "millwright_etl"),
    ),
    Service(
        name="modules",
        port=50054,
        metrics_port=9154,
        health="millwright.modules.v1.ModuleService",
        example="millwright.modules.v1.ModuleService/ListModules",
        command=(sys.executable, "-m", "millwright_modules"),
        calls=(("JUDGMENT_ENDPOINT", "judgment"), ("WORKFLOW_ENDPOINT", "workflow")),
    ),
)


def named(name: str) -> Service:
    """Return the service of that name. Raises KeyError."""
    return {service.name: service for service in SERVICES}[name]
