"""A service that calls others: who it is to them, by which certificates, and what it hears of a refusal."""

import grpc
import jwt
import pytest
from millwright_local.testing.certificates import Authority
from millwright_runtime.api import peers
from millwright_runtime.api.peers import CallingSettings
from millwright_runtime.errors import InvalidFields, NotFound, Violation


@pytest.fixture
def calling(keys):
    """Give settings of a service that calls others, changed by what they are told."""

    def make(**changes):
        known = {"database_url": "postgresql://sample@db/sample", "jwks": str(keys.jwks_file)}
        return CallingSettings(**known, jwt_issuer=keys.issuer, jwt_audience=keys.audience, **changes)

    return make


def test_a_service_without_a_key_and_authorities_has_nothing_to_call_with(calling):
    assert calling().identity() is None
    assert calling().certificates() is None


def test_its_tokens_are_those_that_every_service_takes(calling, keys):
    token = calling(signing_key=keys.private_file).identity().token("instances/1", "plant-1", "admin")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["iss"], claims["aud"]) == (keys.issuer, keys.audience)
    assert (claims["sub"], claims["tenant"], claims["roles"]) == ("instances/1", "plant-1", ["admin"])


def test_what_is_no_key_is_refused_at_the_start(calling, tmp_path):
    wrong = tmp_path / "key.pem"
    wrong.write_text("no key")
    with pytest.raises(ValueError, match="must be a file that holds a private key in PEM"):
        calling(signing_key=wrong)


def test_it_shows_its_own_certificate_and_trusts_the_authorities_of_services(calling, tmp_path):
    own = Authority().issue(tmp_path / "own")
    contents = calling(tls_certificate=own.certificate, tls_key=own.key, services_ca=own.ca).certificates().current
    assert (contents.chain, contents.authorities) == (own.certificate.read_bytes(), own.ca.read_bytes())


def test_a_method_is_found_by_its_name_in_its_contract():
    package = "millwright.workflow.v1"
    found = peers.method(f"{package}.release_service_pb2", f"{package}.ReleaseService/RollbackVersion")
    assert found.full_name == f"{package}.ReleaseService.RollbackVersion"


@pytest.mark.parametrize(
    ("most", "told"), [(5, ["a.b: is too long", "/do/0: has no meaning"]), (1, ["a.b: is too long"])]
)
async def test_what_is_wrong_with_which_fields_is_heard(served, most, told):
    faults = [Violation("a.b", "TOO_LONG", "is too long"), Violation("/do/0", "UNKNOWN_KEY", "has no meaning")]
    assert peers.violations(await refusal(served, InvalidFields(faults)), most) == told


async def test_a_refusal_that_names_no_field_says_none(served):
    assert peers.violations(await refusal(served, NotFound()), 5) == []


async def refusal(served, error):
    """Give what a client gets where a method raises `error`."""

    async def refuse(_request, _context):
        raise error

    served.shapes.behavior["unary_unary"] = refuse
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.call("unary_unary")
    return caught.value
