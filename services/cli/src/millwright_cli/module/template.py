"""What a new module begins with: a manifest and a page that builds."""

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_CODE = "module-code"
_TITLE = "Module title"


def write(directory: Path, code: str, title: str) -> list[Path]:
    """Write a new module's files into `directory`, and give them; raise FileExistsError rather than replace one."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(directory)
    written = []
    for path, content in _files(files(__package__) / "template", Path()):
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = json.dumps(title, ensure_ascii=False)[1:-1] if path.suffix == ".json" else title
        target.write_text(content.replace(_CODE, code).replace(_TITLE, shown), "utf-8")
        written.append(target)
    return sorted(written)


def _files(place: Traversable, below: Path) -> Iterator[tuple[Path, str]]:
    for entry in place.iterdir():
        if entry.is_dir():
            yield from _files(entry, below / entry.name)
        else:
            yield below / entry.name, entry.read_text("utf-8")
