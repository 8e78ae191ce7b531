"""How esbuild is called.

Where it works, the module is `source` and what it writes is `out`, whatever they are elsewhere: the names of what is
built depend on where the sources lie as seen from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

SOURCE = "source"
OUT = "out"
METAFILE = "said/metafile.json"
CHECKED = "said/checked.js"
"""Names all scripts and styles that were built before, so that they are read as a build would read them."""

_KEPT_MESSAGES = 50
_LOADERS = {
    **dict.fromkeys(("gif", "ico", "jpeg", "jpg", "png", "svg", "ttf", "webp", "woff", "woff2"), "file"),
    **dict.fromkeys(("csv", "txt"), "text"),
}
_FLAGS = (
    "--bundle",
    "--format=esm",
    "--platform=neutral",  # the module's package.json says nothing of which file stands for another
    "--tsconfig-raw={}",  # nor does its tsconfig.json
    "--preserve-symlinks",  # `source` is one; the module has none
    "--jsx=automatic",
    "--target=es2022",
    "--minify",
    "--sourcemap=external",
    "--charset=utf8",
    "--entry-names=[name]-[hash]",
    "--asset-names=[name]-[hash]",
    f"--outdir={OUT}",
    f"--metafile={METAFILE}",
    "--color=false",
    "--log-level=warning",
    f"--log-limit={_KEPT_MESSAGES}",
    *(f"--loader:.{suffix}={loader}" for suffix, loader in sorted(_LOADERS.items())),
)


def arguments(entry: str, externals: Sequence[str]) -> list[str]:
    """Give the arguments for the entry `entry` of the module, with what the platform brings left out."""
    return _arguments(f"./{SOURCE}/{entry}", externals)


def checking_arguments(externals: Sequence[str]) -> list[str]:
    """Give the arguments for what CHECKED names."""
    return _arguments(f"./{CHECKED}", externals)


def checked(paths: Sequence[str]) -> str:
    """Give the content of CHECKED."""
    return "".join(f"import {json.dumps(f'../{SOURCE}/{path}')};\n" for path in paths)


def _arguments(entry: str, externals: Sequence[str]) -> list[str]:
    return [entry, *_FLAGS, *(f"--external:{name}" for name in sorted(externals))]
