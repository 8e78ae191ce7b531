"""What a case is: an RPC, what is sent, and what must show that its servicer has answered."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Template
from typing import Any

Message = Mapping[str, Any]
NAME = re.compile(r'"([a-zA-Z]+)/([\w.-]+)"')


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or several messages of one where the RPC takes a stream.

    In what is sent, `$runs` stands for the run that an answer before has named, and so on for all that has a name.
    """

    rpc: str
    """`Service/Method`, in the package of the service that is called or else with its own."""
    sent: Message | tuple[Message, ...]
    sign: str
    """A field of the answer with its value, or the reason of the refusal."""
    is_refused: bool = False
    is_endless: bool = False
    """Whether it answers for as long as it is listened to."""
    is_late: bool = False
    """Whether what it shows comes about by itself, a moment after what was called before."""

    @property
    def name(self) -> str:
        """Give `Service/Method` alone."""
        return self.rpc.rpartition(".")[2]

    def text(self, known: Mapping[str, str]) -> str:
        """Give what is sent as JSON, with the names that are known."""
        messages = self.sent if isinstance(self.sent, tuple) else (self.sent,)
        return Template("\n".join(json.dumps(message) for message in messages)).safe_substitute(known)


def refused(rpc: str, sent: Message, reason: str) -> Call:
    """A call that is refused for a reason."""
    return Call(rpc, sent, reason, is_refused=True)


def audited(method: str, resource: str) -> Call:
    """Every service tells what was done in it: a call of this method, to this resource."""
    return Call("millwright.api.v1.AuditService/ListAuditEntries", {"method": method, "pageSize": 1}, resource)


def plain(text: str) -> str:
    """Give text as it is with every tool: `latestVersion` or `latest_version`, with one blank after a colon or two."""
    return re.sub(r"\s+", " ", text.replace("_", "")).lower()


def names(answer: str) -> dict[str, str]:
    """Give the first name of each collection in an answer."""
    found: dict[str, str] = {}
    for collection, identifier in NAME.findall(answer):
        found.setdefault(collection, f"{collection}/{identifier}")
    return found
