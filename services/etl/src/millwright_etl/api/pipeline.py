"""PipelineService: the rules that the data of a plant must meet."""

from __future__ import annotations

from millwright.etl.v1 import pipeline_service_pb2_grpc as pb_grpc
from millwright_runtime.service import Platform

from millwright_etl.api.quality_rules import QualityRulesServicer


class PipelineServicer(QualityRulesServicer, pb_grpc.PipelineServiceServicer):
    """Serves PipelineService."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
