"""Who may call what: every RPC against the access that the contract gives it, for every role and every wrong token."""

from datetime import timedelta

import grpc
import pytest
from millwright.api.v1 import service_pb2
from millwright_local.keys import Keys
from millwright_local.scratch import scratch_directory
from millwright_local.testing.refusals import decode, refused
from workflow_rig.client import RPCS

ROLES = ("viewer", "operator", "admin", "worker")
SUFFICIENT = {
    service_pb2.ACCESS_VIEWER: {"viewer", "operator", "admin"},
    service_pb2.ACCESS_OPERATOR: {"operator", "admin"},
    service_pb2.ACCESS_ADMIN: {"admin"},
    service_pb2.ACCESS_WORKER: {"worker"},
}


def sufficient(rpc):
    """Give the roles that the contract lets call an RPC."""
    return SUFFICIENT[RPCS[rpc].GetOptions().Extensions[service_pb2.access]]


async def code_of(client, rpc, token):
    """Call an RPC with an empty request; give its code and its reason, if it was refused."""
    call = getattr(client, rpc)(token=token)
    try:
        await (anext(aiter(call), None) if RPCS[rpc].server_streaming else call)
    except grpc.aio.AioRpcError as error:
        return decode(error).kind
    return "OK", ""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("rpc", RPCS)
async def test_a_role_may_call_what_the_contract_says(client, token, rpc, role):
    code, reason = await code_of(client, rpc, token(tenant=client.tenant, roles=(role,)))
    if role in sufficient(rpc):
        assert code in ("OK", "INVALID_ARGUMENT")
    else:
        assert (code, reason) == ("PERMISSION_DENIED", "ROLE_MISSING")


@pytest.mark.parametrize("rpc", RPCS)
async def test_without_a_role_nothing_may_be_called(client, token, rpc):
    assert await code_of(client, rpc, token(tenant=client.tenant, roles=())) == ("PERMISSION_DENIED", "ROLE_MISSING")


@pytest.fixture(scope="module")
def wrong_tokens(token):
    """Tokens that are not accepted, and the reasons."""
    with scratch_directory() as directory:
        foreign = Keys(directory / "keys").token(roles=("admin",))
    return {
        "none": ("", "TOKEN_MISSING"),
        "nonsense": ("x", "TOKEN_INVALID"),
        "expired": (token(roles=("admin",), lifetime=timedelta(seconds=-1)), "TOKEN_EXPIRED"),
        "of a foreign key": (foreign, "TOKEN_INVALID"),
        "for another audience": (token(roles=("admin",), aud="someone-else"), "TOKEN_INVALID"),
        "of another issuer": (token(roles=("admin",), iss="someone-else"), "TOKEN_INVALID"),
        "for every tenant": (token(roles=("admin",), tenant="*"), "TOKEN_INVALID"),
        "for no tenant": (token(roles=("admin",), tenant=""), "TOKEN_INVALID"),
        "with an unknown role": (token(roles=("admin", "root")), "TOKEN_INVALID"),
    }


WRONG = (
    "none",
    "nonsense",
    "expired",
    "of a foreign key",
    "for another audience",
    "of another issuer",
    "for every tenant",
    "for no tenant",
    "with an unknown role",
)


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_token_opens_no_rpc(client, wrong_tokens, what):
    wrong, reason = wrong_tokens[what]
    kinds = {rpc: await code_of(client, rpc, wrong) for rpc in RPCS}
    assert kinds == dict.fromkeys(RPCS, ("UNAUTHENTICATED", reason))


@pytest.mark.parametrize("rpc", RPCS)
async def test_who_is_not_let_in_does_not_learn_whether_the_request_was_well_formed(client, rpc):
    refusal = await refused(client.send(RPCS[rpc], b"\xff\xff", token=""))
    assert refusal.kind == ("UNAUTHENTICATED", "TOKEN_MISSING")


@pytest.mark.parametrize("rpc", RPCS)
async def test_a_request_that_is_no_message_is_refused(client, rpc):
    refusal = await refused(client.send(RPCS[rpc], b"\xff\xff", token=client.token))
    assert refusal.kind == ("INVALID_ARGUMENT", "REQUEST_MALFORMED")


async def test_a_body_over_the_limit_is_refused(client):
    refusal = await refused(client.PublishVersion(definition="x" * 5 * 2**20))
    assert refusal.kind == ("RESOURCE_EXHAUSTED", "REQUEST_TOO_LARGE")
