"""Generate the Python stubs of the contract whenever the package is built or installed for development.

The stubs land in `gen/`, which git ignores. `gen/include` holds the google/rpc definitions that the contract
imports, taken from the installed googleapis-common-protos, so that buf finds them without a network.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

import grpc_tools
from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class StubsBuildHook(BuildHookInterface[Any]):
    """Run protoc over `millwright/` before the files of the package are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        root = Path(self.root)
        generated = root / "gen"
        shutil.rmtree(generated, ignore_errors=True)
        include = generated / "include" / "google" / "rpc"
        include.mkdir(parents=True)
        for name in ("error_details.proto", "status.proto"):
            shutil.copy(str(files("google.rpc") / name), include)

        protos = sorted(path.relative_to(root).as_posix() for path in (root / "millwright").rglob("*.proto"))
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={root}",
                f"--proto_path={generated / 'include'}",
                f"--proto_path={Path(grpc_tools.__file__).parent / '_proto'}",
                *(f"--{plugin}_out={generated}" for plugin in ("python", "grpc_python", "mypy", "mypy_grpc")),
                *protos,
            ]
        )
        if code != 0:
            message = f"protoc ended with exit code {code}; its messages are above"
            raise RuntimeError(message)
        for package in {Path(proto).parent for proto in protos}:
            (generated / package / "py.typed").touch()
