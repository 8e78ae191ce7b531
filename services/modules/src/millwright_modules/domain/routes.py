"""Routes: paths of a module's page, answered by RPCs that there are and that the module has asked to call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from millwright_modules.domain.manifest.model import Manifest
from millwright_modules.domain.problem import Problem, shown
from millwright_modules.domain.words import Reason

Contract = Mapping[str, str]
"""What a page must be permitted to call each RPC, such as `etl.read`; the RPCs are named as routes name them."""


def problems(manifest: Manifest, contract: Contract) -> Iterator[Problem]:
    """Give what is wrong with a manifest's routes. Who may write may read."""
    held = {*manifest.permissions, *(each.replace(".write", ".read") for each in manifest.permissions)}
    seen: dict[str, int] = {}
    for place, route in enumerate(manifest.routes):
        pointer = f"/backend/routes/{place}"
        first = seen.setdefault(route.path, place)
        if first != place:
            yield Problem(Reason.ROUTE_TWICE, f"{pointer}/path", f"/backend/routes/{first}", shown(route.path))
        needed = contract.get(route.method)
        if needed is None:
            yield Problem(Reason.ROUTE_UNKNOWN, f"{pointer}/method", found=shown(route.method))
        elif needed not in held:
            yield Problem(Reason.ROUTE_NOT_PERMITTED, f"{pointer}/method", needed, shown(route.method))
