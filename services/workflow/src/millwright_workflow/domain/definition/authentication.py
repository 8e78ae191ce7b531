"""How a task proves who it is: the authentication policies of the DSL.

Owns their models. Resolves no reference and reads no secret.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, StrictStr, Tag

from millwright_workflow.domain.definition.scalars import TAG_MARK, Choice, Model, Reference, UriTemplate


class SecretName(Reference):
    """The name of a secret."""

    __slots__ = ()
    group = "secrets"


class AuthenticationName(Reference):
    """The name of an authentication policy."""

    __slots__ = ()
    group = "authentications"


class SecretReference(Model):
    """Takes the whole policy from a secret under `use.secrets`."""

    use: SecretName


class Credentials(Model):
    """A user's name and password."""

    username: StrictStr
    password: StrictStr


class BearerToken(Model):
    """A token to send as it is."""

    token: StrictStr


class OAuth2Client(Model):
    """The application that asks for a token."""

    id: StrictStr | None = None
    secret: StrictStr | None = None
    assertion: StrictStr | None = None
    authentication: Literal[
        "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"
    ] = "client_secret_post"


class OAuth2Request(Model):
    """How the token request is encoded."""

    encoding: Literal["application/x-www-form-urlencoded", "application/json"] = "application/x-www-form-urlencoded"


class OAuth2Token(Model):
    """A token to exchange."""

    token: StrictStr
    type: StrictStr


class OAuth2Endpoints(Model):
    """Where, below the authority, tokens are issued, revoked and looked into."""

    token: StrictStr = "/oauth2/token"  # noqa: S105 - a path, not a password
    revocation: StrictStr = "/oauth2/revoke"
    introspection: StrictStr = "/oauth2/introspect"


class OidcPolicy(Model):
    """OpenID Connect: the endpoints are discovered from the authority."""

    authority: UriTemplate | None = None
    grant: (
        Literal[
            "authorization_code",
            "client_credentials",
            "password",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ]
        | None
    ) = None
    client: OAuth2Client | None = None
    request: OAuth2Request | None = None
    issuers: tuple[StrictStr, ...] = ()
    scopes: tuple[StrictStr, ...] = ()
    audiences: tuple[StrictStr, ...] = ()
    username: StrictStr | None = None
    password: StrictStr | None = None
    subject: OAuth2Token | None = None
    actor: OAuth2Token | None = None


class OAuth2Policy(OidcPolicy):
    """OAuth 2: as OpenID Connect, with the endpoints written down."""

    endpoints: OAuth2Endpoints | None = None


def _use_or_inline(value: object) -> str:
    named = "use" in value if isinstance(value, dict) else isinstance(value, SecretReference | AuthenticationReference)
    return TAG_MARK + ("use" if named else "inline")


USE_OR_INLINE = Discriminator(_use_or_inline)
_BY_NAME = Tag(TAG_MARK + "use")
_INLINE = Tag(TAG_MARK + "inline")

_Secret: TypeAlias = Annotated[SecretReference, _BY_NAME]
BasicOrSecret: TypeAlias = Annotated[_Secret | Annotated[Credentials, _INLINE], USE_OR_INLINE]
BearerOrSecret: TypeAlias = Annotated[_Secret | Annotated[BearerToken, _INLINE], USE_OR_INLINE]
OAuth2OrSecret: TypeAlias = Annotated[_Secret | Annotated[OAuth2Policy, _INLINE], USE_OR_INLINE]
OidcOrSecret: TypeAlias = Annotated[_Secret | Annotated[OidcPolicy, _INLINE], USE_OR_INLINE]


class Authentication(Choice):
    """One way to authenticate."""

    choices = ("basic", "bearer", "digest", "oauth2", "oidc")

    basic: BasicOrSecret | None = None
    bearer: BearerOrSecret | None = None
    digest: BasicOrSecret | None = None
    oauth2: OAuth2OrSecret | None = None
    oidc: OidcOrSecret | None = None


class AuthenticationReference(Model):
    """Names a policy under `use.authentications`."""

    use: AuthenticationName


AuthenticationOrReference: TypeAlias = Annotated[
    Annotated[AuthenticationReference, _BY_NAME] | Annotated[Authentication, _INLINE], USE_OR_INLINE
]
