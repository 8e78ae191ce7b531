"""The modules service's cases: two versions of a module, that comes in, goes back and is taken out."""

import base64
import hashlib

from google.protobuf import json_format
from millwright_local.testing.packages import TRUST, manifest, packed

from tests.end_to_end.curl.cases import Call, audited, refused

MODULE = "modules/curl"
PAGE = "export default 1;\n"


def package(version: str) -> bytes:
    """Give a package whose frontend was built before."""
    settings = {"schema": {"type": "object"}, "defaults": {"days": 28}}
    described = manifest("curl", version, "Curl", settings=settings)
    return packed(described, {"dist/page.js": PAGE.encode()})


def announcement(package: bytes) -> dict:
    """Give what a package is announced with."""
    digest = base64.b64encode(hashlib.sha256(package).digest()).decode()
    return {"digest": digest, "totalBytes": len(package)}


ONE, TWO = (package(version) for version in ("1.0.0", "1.1.0"))
DATA, NEXT_DATA = (base64.b64encode(each).decode() for each in (ONE, TWO))
KEY = base64.b64encode(bytes(range(32))).decode()
AT_ONCE = {"healthTime": "0s"}

INSTALLING = (
    Call("ModuleService/AddSigningKey", json_format.MessageToDict(TRUST), "signingKeys/tests"),
    Call("ModuleService/CreateUpload", announcement(ONE), '"name": "uploads/'),
    Call("ModuleService/UploadPackage", {"upload": "$uploads", "data": DATA}, '"complete": true'),
    Call("ModuleService/GetUpload", {"name": "$uploads"}, '"complete": true'),
    Call("ModuleService/PlanChange", {"install": "$uploads"}, "KIND_INSTALL"),
    Call("ModuleService/InstallModule", {"upload": "$uploads", "options": AT_ONCE}, '"name": "operations/'),
    Call("ModuleService/WatchOperation", {"name": "$operations", "fromSequence": 0}, "STAGE_COMPLETED"),
    Call("ModuleService/GetOperation", {"name": "$operations"}, "STAGE_COMPLETED"),
    Call("ModuleService/ListOperations", {}, "STAGE_COMPLETED"),
    Call("ModuleService/ListOperationEvents", {"name": "$operations"}, "STAGE_EXTRACTING"),
    Call("ModuleService/CancelOperation", {"name": "$operations"}, "STAGE_COMPLETED"),
    Call(
        "ModuleService/UploadAndInstall",
        ({"header": {"upload": announcement(TWO), "options": AT_ONCE}}, {"data": NEXT_DATA}),
        "STAGE_COMPLETED",
    ),
    refused("ModuleService/GetOperation", {"name": "operations/00000000-0000-0000-0000-000000000001"}, "NOT_FOUND"),
)
READING = (
    Call("ModuleService/GetModule", {"name": MODULE}, '"activeVersion": "1.1.0"'),
    Call("ModuleService/ListModules", {}, MODULE),
    Call("ModuleService/ListModuleVersions", {"module": MODULE}, f"{MODULE}/versions/1.0.0"),
    Call("ModuleService/ListActivations", {"module": MODULE}, "KIND_UPGRADE"),
    Call("ModuleService/GetAsset", {"module": MODULE}, base64.b64encode(PAGE.encode()).decode()),
    Call("ModuleService/GetModuleSettings", {"name": f"{MODULE}/settings"}, '"days": 28'),
    Call("ModuleService/SaveModuleSettings", {"name": f"{MODULE}/settings", "values": {"days": 7}}, '"days": 7'),
)
CHANGING = (
    Call("ModuleService/RollbackModule", {"name": MODULE, "reason": "a test"}, "KIND_ROLLBACK"),
    audited("RollbackModule", MODULE),
    Call("ModuleService/DisableModule", {"name": MODULE}, "STATE_DISABLED"),
    Call("ModuleService/EnableModule", {"name": MODULE}, "STATE_ENABLED"),
    Call("ModuleService/UninstallModule", {"name": MODULE, "reason": "a test"}, "STATE_UNINSTALLED"),
    refused("ModuleService/GetModule", {"name": "modules/none"}, "MODULE_NOT_FOUND"),
)
SIGNING = (
    Call("ModuleService/AddSigningKey", {"key": {"name": "signingKeys/ours", "publicKey": KEY}}, "signingKeys/ours"),
    Call("ModuleService/SetSignaturePolicy", {"policy": "SIGNATURE_POLICY_WARN"}, "SIGNATURE_POLICY_WARN"),
    Call("ModuleService/GetSignaturePolicy", {}, "signingKeys/ours"),
    Call("ModuleService/RemoveSigningKey", {"name": "signingKeys/ours"}, "{}"),
    refused("ModuleService/RemoveSigningKey", {"name": "signingKeys/ours"}, "KEY_NOT_FOUND"),
)
CALLS = (*INSTALLING, *READING, *CHANGING, *SIGNING)
