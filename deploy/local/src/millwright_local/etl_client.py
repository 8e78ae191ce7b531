"""A client of the etl service. It adds nothing to the contract."""

from millwright.etl.v1 import (
    ingest_service_pb2_grpc,
    pipeline_service_pb2,
    pipeline_service_pb2_grpc,
    production_service_pb2_grpc,
    quarantine_service_pb2_grpc,
    run_pb2,
)

from millwright_local.service_client import ServiceClient


class EtlClient(ServiceClient):
    """The services of one process of the etl service."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address, token)
        self.ingest = ingest_service_pb2_grpc.IngestServiceStub(self._channel)
        self.pipelines = pipeline_service_pb2_grpc.PipelineServiceStub(self._channel)
        self.production = production_service_pb2_grpc.ProductionServiceStub(self._channel)
        self.quarantine = quarantine_service_pb2_grpc.QuarantineServiceStub(self._channel)

    async def end_of(self, run: str) -> run_pb2.Run:
        """Wait until a run has ended, and return it."""
        async for _ in self.stream(self.pipelines.WatchRun, pipeline_service_pb2.WatchRunRequest(name=run)):
            pass
        return (await self.call(self.pipelines.GetRun, pipeline_service_pb2.GetRunRequest(name=run))).run
