"""Which method of which service carries each function of the catalogue out."""

from __future__ import annotations

from typing import Final

from millwright_workflow.engine.catalogue import judgments, modules, pipelines, production, rollbacks
from millwright_workflow.engine.catalogue.remote import Following, Method

JUDGE: Final = Method(
    "millwright.judgment.v1.judgment_service_pb2",
    "millwright.judgment.v1.JudgmentService/Judge",
    judgments.request,
    judgments.output,
)
ROLLBACK_RULESET: Final = Method(
    "millwright.judgment.v1.release_service_pb2",
    "millwright.judgment.v1.ReleaseService/RollbackVersion",
    rollbacks.request,
    rollbacks.output,
)
RUN_PIPELINE: Final = Method(
    "millwright.etl.v1.pipeline_service_pb2",
    "millwright.etl.v1.PipelineService/RunPipeline",
    pipelines.request,
    pipelines.output,
    Following("millwright.etl.v1.PipelineService/GetRun", pipelines.look),
    is_new_each_attempt=True,
)
QUERY_PRODUCTION: Final = Method(
    "millwright.etl.v1.production_service_pb2",
    "millwright.etl.v1.ProductionService/ListProduction",
    production.request,
    production.output,
)
INSTALL_MODULE: Final = Method(
    "millwright.modules.v1.module_service_pb2",
    "millwright.modules.v1.ModuleService/InstallModule",
    modules.request,
    modules.output,
    Following("millwright.modules.v1.ModuleService/GetOperation", modules.look),
    is_new_each_attempt=True,
    role="admin",
)
