"""What a module brings for other services: documents that their owners check, and that people publish there."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from millwright_modules.domain.manifest.model import Manifest

LARGEST_BYTES = 1 << 20
"""What the owners take at most."""


class Kind(StrEnum):
    """What a document is; the value is the manifest's word for it."""

    RULESET = "rulesets"
    WORKFLOW = "workflows"

    @property
    def pointer(self) -> str:
        """Give where the manifest names them."""
        return f"/backend/{self.value}"


def paths(manifest: Manifest, kind: Kind) -> Sequence[str]:
    """Give the files of a kind."""
    return manifest.rulesets if kind is Kind.RULESET else manifest.workflows


def all_paths(manifest: Manifest) -> Sequence[str]:
    """Give the files of every kind."""
    return [path for kind in Kind for path in paths(manifest, kind)]
