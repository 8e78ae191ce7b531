"""Authentication policies: the one that an endpoint names or writes, with its expressions evaluated.

Owns the way from the definition to the engine. Sees no secret: a policy that is one goes by its name, and `$secrets`
gives seals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from millwright_runtime.json import Json

from millwright_workflow.domain.definition.authentication import (
    AuthenticationOrReference,
    AuthenticationReference,
    SecretReference,
)
from millwright_workflow.domain.interpreter import errors
from millwright_workflow.domain.interpreter.asker import Asker
from millwright_workflow.domain.interpreter.effects import Authentication, Part
from millwright_workflow.domain.interpreter.site import Site
from millwright_workflow.domain.interpreter.template import Template, plan_template

Scheme: TypeAlias = Literal["basic", "bearer", "digest", "oauth2", "oidc"]
_SCHEMES: Final[tuple[Scheme, ...]] = ("basic", "bearer", "digest", "oauth2", "oidc")


@dataclass(frozen=True, slots=True)
class AuthenticationPlan:
    """A policy, prepared."""

    scheme: Scheme
    secret: str | None
    settings: Template

    def resolve(self, asker: Asker, data: Json) -> Part[Authentication]:
        """Give the policy with its expressions evaluated on `data`."""
        settings = yield from asker.evaluate(self.settings, data)
        return Authentication(self.scheme, self.secret, settings if isinstance(settings, dict) else {})


def plan_authentication(written: AuthenticationOrReference | None, site: Site) -> AuthenticationPlan | None:
    """Prepare a policy that may be absent. Throws a configuration fault for a name that `use` does not have."""
    if written is None:
        return None
    if isinstance(written, AuthenticationReference):
        written = site.resolve_name(written.use, site.use.authentications)
    scheme = next(name for name in _SCHEMES if getattr(written, name) is not None)
    chosen = getattr(written, scheme)
    if isinstance(chosen, SecretReference):
        if chosen.use not in site.use.secrets:
            raise errors.configuration(site.pointer, f"No secret under `use` is called {str(chosen.use)!r}.")
        return AuthenticationPlan(scheme, str(chosen.use), plan_template({}))
    settings = chosen.model_dump(mode="json", by_alias=True, exclude_none=True)
    return AuthenticationPlan(scheme, None, plan_template(settings))
