"""Who may call what: every RPC of every service, with every kind of token, against the contract's own rule."""

from datetime import timedelta

import pytest
from millwright_local.keys import Keys

from tests.security.contract import ROLES, opened_by


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_call_what_the_contract_says(contract, token, role):
    bearer = token(tenant="walked", roles=[role])
    for method in contract.methods:
        answer = await contract.call(method, bearer)
        if role in opened_by(method):
            assert answer.code in {"OK", "INVALID_ARGUMENT", "UNIMPLEMENTED"}, (method.full_name, answer)
        else:
            assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_MISSING"), method.full_name


async def test_a_token_without_a_role_opens_nothing(contract, token):
    bearer = token(tenant="walked", roles=[])
    for method in contract.methods:
        answer = await contract.call(method, bearer)
        assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_MISSING"), method.full_name


@pytest.fixture(params=["none", "expired", "of another key", "forged with our key's id", "cut off"])
def unfit(request, keys, token, tmp_path):
    """A token of an administrator and worker that must open nothing, and what is said of it."""
    claims = {"tenant": "walked", "roles": ROLES}
    other = Keys(tmp_path / "other")
    if request.param == "forged with our key's id":
        other.key_id = keys.key_id
    return {
        "none": ("", "TOKEN_MISSING"),
        "expired": (token(lifetime=timedelta(hours=-1), **claims), "TOKEN_EXPIRED"),
        "of another key": (other.token(**claims), "TOKEN_INVALID"),
        "forged with our key's id": (other.token(**claims), "TOKEN_INVALID"),
        "cut off": (token(**claims)[:-8], "TOKEN_INVALID"),
    }[request.param]


async def test_an_unfit_token_opens_nothing_and_is_told_before_the_request_is_read(contract, unfit):
    bearer, reason = unfit
    for method in contract.methods:
        answer = await contract.call(method, bearer, b"\xff\xff")
        assert (answer.code, answer.reason) == ("UNAUTHENTICATED", reason), method.full_name


async def test_a_request_that_is_no_message_is_refused_once_the_caller_is_known(contract, token):
    bearer = token(tenant="walked", roles=ROLES)
    for method in contract.methods:
        answer = await contract.call(method, bearer, b"\xff\xff")
        assert answer.reason in {"REQUEST_MALFORMED", "NO_DATASETS"}, (method.full_name, answer)
