"""ModuleService: its RPCs by what they are about."""

from __future__ import annotations

from millwright.modules.v1 import module_service_pb2_grpc as pb_grpc
from millwright_runtime.events.log import EventLog
from millwright_runtime.service import Platform

from millwright_modules.api.changes import ChangeRpcs
from millwright_modules.api.operations import OperationRpcs
from millwright_modules.api.reading import ReadingRpcs
from millwright_modules.api.settings import SettingsRpcs
from millwright_modules.api.uploads import UploadRpcs
from millwright_modules.artifacts.files import BlobFiles
from millwright_modules.domain.versions import Version
from millwright_modules.engine.owners import Owners
from millwright_modules.engine.receiving import Receiving
from millwright_modules.engine.unpacking import Packages


class ModuleServicer(UploadRpcs, OperationRpcs, ChangeRpcs, ReadingRpcs, SettingsRpcs, pb_grpc.ModuleServiceServicer):
    """Serves ModuleService."""

    def __init__(
        self,
        platform: Platform,
        log: EventLog,
        receiving: Receiving,
        packages: Packages,
        files: BlobFiles,
        owners: Owners,
        version: Version,
    ) -> None:
        """`version` is the platform's, which modules say what they need of."""
        self._platform = platform
        self._log = log
        self._receiving = receiving
        self._packages = packages
        self._files = files
        self._owners = owners
        self._version = version
