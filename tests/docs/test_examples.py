"""Everything under `examples/` is what this release takes: workflows, rulesets, and modules with what they bring."""

from __future__ import annotations

from pathlib import Path

import pytest
from millwright_judgment.domain.ruleset import document
from millwright_modules.building import toolchain
from millwright_modules.building.builder import Builder
from millwright_modules.confinement import kernel, process
from millwright_modules.domain import contents
from millwright_modules.domain.manifest import reader
from millwright_workflow.domain import definition

EXAMPLES = Path(__file__).parents[2] / "examples"
MODULES = EXAMPLES / "modules"


def named(path):
    """What a file is called among the examples."""
    return path.relative_to(EXAMPLES).as_posix()


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("workflows/**/*.yaml")), ids=named)
def test_an_example_can_be_published(path):
    examination = definition.examine(path.read_text())
    assert not examination.faults
    assert not definition.unsupported(examination.sound)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("rulesets/**/*.json")), ids=named)
def test_an_example_ruleset_has_no_faults(path):
    assert not document.read(path.read_text()).findings


@pytest.mark.parametrize("module", sorted(MODULES.iterdir()), ids=lambda module: module.name)
async def test_an_example_module_is_sound_and_its_page_builds(module, tmp_path):
    manifest = reader.read((module / "module.json").read_bytes())
    files = {path.relative_to(module).as_posix() for path in module.rglob("*") if path.is_file()}
    assert not list(contents.problems(manifest, files))
    try:
        process.check()
    except kernel.Unavailable as lack:
        pytest.skip(f"this machine cannot confine a build: it lacks {lack}")
    builder = Builder(toolchain.find(), tmp_path / "cache")
    frontend = manifest.frontend
    out = tmp_path / "out"
    built = await builder.build(module, frontend.entry, out, lambda _: None, externals=frontend.externals)
    assert not built.warnings
    assert (out / built.entry).stat().st_size < 10_000
