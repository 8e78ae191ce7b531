"""What the tests of building share: the real esbuild, confined by the real kernel."""

import pytest
from millwright_modules.building import toolchain
from millwright_modules.building.builder import Builder
from millwright_modules.confinement import kernel, process

EXTERNALS = ("react", "react/jsx-runtime", "react-dom")


@pytest.fixture(scope="session")
def esbuild():
    """The pinned binary; `make esbuild` brings it."""
    try:
        process.check()
    except kernel.Unavailable as lack:
        pytest.skip(f"this machine cannot confine a process: it lacks {lack}")
    return toolchain.find()


@pytest.fixture
def build(esbuild, tmp_path):
    """Write files, build them, and give the result with what lies in the output and what was reported."""

    async def build(files, entry="src/index.tsx", *, name="one", hears=lambda _: None, **options):
        source = tmp_path / name / "source"
        write(source, files)
        told = []

        def hear(one):
            told.append(one)
            hears(one)

        builder = Builder(esbuild, tmp_path / "cache", **options)
        out = source.parent / "out"
        try:
            result = await builder.build(source, entry, out, hear, externals=EXTERNALS)
        except BaseException as error:
            error.told = told
            assert not out.exists()
            raise
        finally:
            assert {path.name for path in source.parent.iterdir()} <= {"source", "out"}
        return result, contents(out), told

    return build


def write(root, files):
    """Write files, by path."""
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def contents(root):
    """What lies below a directory, by path."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
