"""Markup: elements put together from parts, where every text is escaped unless it is markup itself."""

from __future__ import annotations

from html import escape

_NAMES = {"class_": "class", "view_box": "viewBox", "preserve_aspect_ratio": "preserveAspectRatio"}
_VOID = frozenset({"meta", "rect", "line", "circle"})


class Markup(str):
    """Text that is markup: it is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: str | Markup, **attributes: object) -> Markup:
    """Give an element."""
    given = "".join(
        f' {_NAMES.get(key, key.replace("_", "-"))}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>" if name == "meta" else f"<{name}{given}/>")
    return Markup(f"<{name}{given}>{together(*children)}</{name}>")


def together(*children: str | Markup) -> Markup:
    """Give parts one after another."""
    return Markup("".join(child if isinstance(child, Markup) else escape(child) for child in children))
