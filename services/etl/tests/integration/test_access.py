"""Who may call what of the etl service: every RPC, with every role, and without a token."""

import grpc
import pytest
from etl_rig.client import RPCS
from millwright.api.v1 import service_pb2
from millwright_local.testing.refusals import decode, refused

ROLES = ("viewer", "operator", "admin", "worker")
SUFFICIENT = {
    service_pb2.ACCESS_VIEWER: {"viewer", "operator", "admin"},
    service_pb2.ACCESS_OPERATOR: {"operator", "admin"},
    service_pb2.ACCESS_ADMIN: {"admin"},
}
UNARY = [name for name, rpc in RPCS.items() if not rpc.client_streaming]


async def code_of(client, rpc, token):
    """Call an RPC with an empty request; give its code and its reason, if it was refused."""
    call = getattr(client, rpc)(token=token)
    try:
        await (anext(aiter(call), None) if RPCS[rpc].server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return decode(error).kind
    return "OK", ""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("rpc", UNARY)
async def test_a_role_may_call_what_the_contract_says(client, token, rpc, role):
    code, reason = await code_of(client, rpc, token(tenant=client.tenant, roles=(role,)))
    if role in SUFFICIENT[RPCS[rpc].GetOptions().Extensions[service_pb2.access]]:
        assert code in ("OK", "INVALID_ARGUMENT")
    else:
        assert (code, reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


@pytest.mark.parametrize("rpc", UNARY)
async def test_without_a_token_nothing_is_told(client, rpc):
    refusal = await refused(client.send(RPCS[rpc], b"\xff\xff", token=""))
    assert refusal.kind == ("UNAUTHENTICATED", "TOKEN_MISSING")


@pytest.mark.parametrize("rpc", UNARY)
async def test_a_request_that_is_no_message_is_refused(admin, rpc):
    refusal = await refused(admin.send(RPCS[rpc], b"\xff\xff", token=admin.token))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")
