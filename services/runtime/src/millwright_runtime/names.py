"""Resource names, such as `workflows/{namespace}.{name}/versions/{number}`: their forms, taken apart. Pure."""

from __future__ import annotations

import re
import uuid

from millwright_runtime.errors import InvalidFields, Violation

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PART = re.compile(r"\{namespace\}\.\{name\}|\{[a-z_]+\}")
_PATTERNS = {
    "{namespace}.{name}": rf"({_LABEL}\.{_LABEL})",
    "{number}": r"([1-9][0-9]{0,8})",
    "{uuid}": r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})",
}


class NameForm:
    """One form of names, written as callers read it in the protos.

    `{namespace}.{name}` is one part, `{number}` a number from 1, `{uuid}` a UUID; any other part is a label.
    """

    def __init__(self, form: str) -> None:
        """Take the form in."""
        self._form = form
        self._pattern = re.compile(_PART.sub(lambda part: _PATTERNS.get(part[0], f"({_LABEL})"), form))

    def parse(self, name: str, field: str) -> tuple[str, ...]:
        """Give the parts of a name; raise InvalidFields for `field` if it has another form."""
        match = self._pattern.fullmatch(name)
        if match is None:
            raise InvalidFields([Violation(field, "MALFORMED_NAME", f"must have the form {self._form}")])
        return match.groups()

    def parse_uuid(self, name: str, field: str) -> uuid.UUID:
        """Give the UUID that is a name's one part; raise InvalidFields for `field` if it has another form."""
        return uuid.UUID(self.parse(name, field)[0])


def is_label(text: str) -> bool:
    """Tell whether a text is 1 to 63 of a-z, 0-9 and inner dashes, as channels and queues are named."""
    return re.fullmatch(_LABEL, text) is not None


def check_label(text: str, field: str) -> str:
    """Give a label as it is; raise InvalidFields for `field` if it is none."""
    if not is_label(text):
        raise InvalidFields([Violation(field, "MALFORMED_NAME", "must be 1 to 63 of a-z, 0-9 and inner dashes")])
    return text
