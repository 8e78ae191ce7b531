"""Which tokens are accepted, and that one that is not says what is wrong with it, in our words."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm
from millwright_local.keys import Keys
from millwright_runtime.api.authentication import Authenticator, TokenExpired, TokenInvalid, TokenMissing

CLAIMS = {
    "iss": "millwright-local",
    "aud": "millwright",
    "sub": "local",
    "tenant": "plant-1",
    "roles": ["operator"],
    "exp": 4_000_000_000,
}


class Clock:
    """The seconds since 1970, as the test moves them."""

    def __init__(self):
        self.now = datetime.now(UTC).timestamp()

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authenticator(keys, clock):
    return Authenticator(str(keys.jwks_file), keys.issuer, keys.audience, now=clock)


async def fault(authenticator, token):
    with pytest.raises(TokenInvalid) as caught:
        await authenticator.authenticate(f"Bearer {token}")
    return caught.value.variables["fault"]


async def test_a_good_token_tells_who_is_calling(authenticator, token):
    signed = token(tenant="plant-7", roles=["viewer", "worker"], subject="line-3")
    principal = await authenticator.authenticate(f"Bearer {signed}")
    assert principal.subject == "line-3"
    assert principal.tenant == "plant-7"
    assert principal.roles == {"viewer", "worker"}


async def test_the_scheme_is_written_in_any_case(authenticator, token):
    await authenticator.authenticate(f"bearer {token()}")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "token"])
async def test_a_call_without_a_token_is_told_how_to_send_one(authenticator, header):
    with pytest.raises(TokenMissing):
        await authenticator.authenticate(header)


def part(value):
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "malformed",
    [
        "x",
        "..",
        "a.b.c",
        "é.é.é",
        " ",
        "eyJ.eyJ.",
        f"{part([])}.{part({})}.AA",
        f"{part({'alg': []})}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'EdDSA', 'kid': {}})}.{part(CLAIMS)}.AA",
        f"{part({'alg': 'EdDSA', 'kid': chr(0xD800)})}.{part(CLAIMS)}.AA",
        "x" * 15_000,
    ],
)
async def test_what_is_no_token_is_invalid(authenticator, malformed):
    assert "Traceback" not in await fault(authenticator, malformed)


async def test_an_expired_token_is_told_apart(authenticator, token):
    with pytest.raises(TokenExpired):
        await authenticator.authenticate(f"Bearer {token(lifetime=timedelta(seconds=-1))}")


async def test_a_token_that_was_verified_is_not_accepted_after_it_has_expired(authenticator, token, clock):
    header = f"Bearer {token(lifetime=timedelta(hours=1))}"
    await authenticator.authenticate(header)
    clock.now += 3601
    with pytest.raises(TokenExpired):
        await authenticator.authenticate(header)


async def test_a_key_of_somebody_else_is_unknown(authenticator, tmp_path):
    foreign = Keys(tmp_path / "foreign")
    assert await fault(authenticator, foreign.token()) == "it is signed with a key that this service does not know"


async def test_the_name_of_our_key_on_a_foreign_signature_does_not_help(authenticator, keys):
    forged = jwt.encode(CLAIMS, Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": keys.key_id})
    assert await fault(authenticator, forged) == "its signature does not match"


async def test_a_token_without_a_signature_is_refused(authenticator, keys):
    unsigned = jwt.encode(CLAIMS, None, "none", headers={"kid": keys.key_id})
    assert await fault(authenticator, unsigned) == "it is signed by an algorithm that is not accepted"


async def test_our_public_key_is_no_shared_secret(authenticator, keys):
    public = keys._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    forged = jwt.encode(CLAIMS, public.ljust(32), "HS256", headers={"kid": keys.key_id})
    assert await fault(authenticator, forged) == "it is signed by an algorithm that is not accepted"


async def test_a_shared_secret_among_the_keys_is_not_used(tmp_path):
    secret = b"s" * 32
    key = {"kty": "oct", "kid": "secret", "alg": "HS256", "k": urlsafe_b64encode(secret).decode().rstrip("=")}
    good = {**ECAlgorithm.to_jwk(generate_private_key(SECP256R1()).public_key(), as_dict=True), "kid": "good"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [key, good]}))
    authenticator = Authenticator(str(tmp_path / "jwks.json"), "millwright-local", "millwright")
    forged = jwt.encode(CLAIMS, secret, "HS256", headers={"kid": "secret"})
    assert await fault(authenticator, forged) == "it is signed with a key that this service does not know"


async def test_elliptic_curves_sign_too(tmp_path):
    key = generate_private_key(SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "curve"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [public]}))
    authenticator = Authenticator(str(tmp_path / "jwks.json"), "millwright-local", "millwright")
    await authenticator.authenticate(f"Bearer {jwt.encode(CLAIMS, key, 'ES256', headers={'kid': 'curve'})}")


async def test_a_token_without_a_key_id_is_checked_with_the_only_key(authenticator, keys):
    await authenticator.authenticate(f"Bearer {jwt.encode(CLAIMS, keys._key, 'EdDSA')}")


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"aud": "elsewhere"}, "it is meant for another audience"),
        ({"iss": "elsewhere"}, "it comes from another issuer"),
        ({"nbf": 4_000_000_000}, "it is not valid yet"),
    ],
)
async def test_a_token_for_others_is_refused(authenticator, token, claims, expected):
    assert await fault(authenticator, token(**claims)) == expected


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp"])
async def test_a_claim_that_is_missing_is_named(authenticator, keys, claim):
    claims = {name: value for name, value in CLAIMS.items() if name != claim}
    signed = jwt.encode(claims, keys._key, "EdDSA", headers={"kid": keys.key_id})
    assert await fault(authenticator, signed) == f"it lacks the claim `{claim}`"


@pytest.mark.parametrize("tenant", ["", "*", "Plant", "a b", "-a", "a-", "x" * 64, "a'", "a.b", 7, None, ["a"], "a\n"])
async def test_a_tenant_that_could_be_mistaken_is_refused(authenticator, token, tenant):
    assert "`tenant` claim" in await fault(authenticator, token(tenant=tenant))


@pytest.mark.parametrize("roles", [["root"], "operator", [7], {"operator": 1}, None, [["operator"]]])
async def test_roles_that_nobody_knows_are_refused(authenticator, keys, roles):
    signed = jwt.encode({**CLAIMS, "roles": roles}, keys._key, "EdDSA", headers={"kid": keys.key_id})
    assert "`roles` claim" in await fault(authenticator, signed)


@pytest.mark.parametrize("claims", [{"exp": "never"}, {"exp": [1]}, {"sub": 7}, {"sub": ""}])
async def test_claims_of_the_wrong_kind_are_refused(authenticator, keys, claims):
    signed = jwt.encode({**CLAIMS, **claims}, keys._key, "EdDSA", headers={"kid": keys.key_id})
    await fault(authenticator, signed)
