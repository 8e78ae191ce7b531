"""Building: what comes out, the same each time, once for the same sources."""

import asyncio
import hashlib
import re

import pytest
from millwright_modules.building import toolchain
from millwright_modules.building.builder import Builder
from millwright_modules.building.result import Step
from millwright_modules.domain.problem import Problem, Refused, Severity
from millwright_modules.domain.words import Reason

PAGE = {
    "src/index.tsx": """import { useState } from "react";
import { Chart } from "./chart";
import logo from "./logo.png";
import "./page.css";

export default function Page() {
  const [rows] = useState<number[]>([1, 2, 3]);
  return <main><img src={logo} /><Chart rows={rows} /></main>;
}
""",
    "src/chart.tsx": """export const Chart = (props: { rows: number[] }) => (
  <svg>{props.rows.map((y) => <circle cy={y} />)}</svg>
);
""",
    "src/page.css": "main { color: rebeccapurple; background: url(./logo.png) }\n",
    "src/logo.png": b"\x89PNG\r\n\x1a\n",
    "module.json": '{"code": "quality"}',
}


async def test_a_page_is_built_with_its_styles_and_pictures(build):
    result, built, told = await build(PAGE)
    assert re.fullmatch(r"index-[A-Z0-9]{8}\.js", result.entry)
    assert sorted(path.partition("-")[0] + path[path.index(".") :] for path in built) == [
        "index.css",
        "index.css.map",
        "index.js",
        "index.js.map",
        "logo.png",
    ]
    assert {asset.path: (asset.size_bytes, asset.digest) for asset in result.assets} == {
        path: (len(content), hashlib.sha256(content).digest()) for path, content in built.items()
    }
    assert b"react/jsx-runtime" in built[result.entry]
    assert [step.done for step in told if isinstance(step, Step)] == [0, 1, 2, 3]
    assert {step.total for step in told} == {3}
    assert all(set(step.messages) == {"en", "ko"} for step in told)


async def test_the_same_sources_give_the_same_bytes_wherever_they_lie(esbuild, build, tmp_path):
    first, built, _ = await build(PAGE)
    Builder(esbuild, tmp_path / "cache")
    for entry in (tmp_path / "cache").iterdir():
        for file in sorted(entry.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        entry.rmdir()
    second, again, _ = await build(PAGE, name="another/place/far/below")
    assert again == built
    assert second == first
    assert not second.is_cached


async def test_what_was_built_is_taken_from_the_cache_with_its_warnings(build):
    files = PAGE | {"src/chart.tsx": "export const isNone = (row: number) => row === NaN;\n" + PAGE["src/chart.tsx"]}
    first, built, told = await build(files)
    second, again, told_again = await build(files, name="two")
    assert (first.is_cached, second.is_cached) == (False, True)
    assert again == built
    assert (second.key, second.assets, second.entry) == (first.key, first.assets, first.entry)
    (warning,) = second.warnings
    assert (warning.reason, warning.severity) == (Reason.BUILD_WARNING, Severity.WARNING)
    assert (warning.path, warning.line) == ("src/chart.tsx", 1)
    assert first.warnings == second.warnings
    assert warning in told
    assert warning in told_again


async def test_any_change_is_built_anew(build):
    first, _, _ = await build(PAGE)
    second, _, _ = await build(PAGE | {"src/page.css": "main { color: red }\n"}, name="two")
    assert not second.is_cached
    assert first.key != second.key


async def test_a_damaged_cache_is_not_believed(build, tmp_path):
    first, built, _ = await build(PAGE)
    (tmp_path / "cache" / first.key / "files" / first.entry).write_text("stolen()")
    second, again, _ = await build(PAGE, name="two")
    assert not second.is_cached
    assert again == built
    third, _, _ = await build(PAGE, name="three")
    assert third.is_cached


async def test_a_cache_without_its_files_is_not_believed(build, tmp_path):
    first, built, _ = await build(PAGE)
    (tmp_path / "cache" / first.key / "files" / first.entry).unlink()
    second, again, _ = await build(PAGE, name="two")
    assert not second.is_cached
    assert again == built


async def test_a_cache_that_cannot_be_written_costs_nothing_but_time(build, tmp_path):
    (tmp_path / "cache").write_text("no directory")
    _, built, _ = await build(PAGE)
    _, again, _ = await build(PAGE, name="two")
    assert again == built


async def test_two_at_once_build_the_same(build):
    (first, built, _), (second, again, _) = await asyncio.gather(build(PAGE), build(PAGE, name="two"))
    assert built == again
    assert first.assets == second.assets


async def test_a_missing_import_is_told_with_file_and_line_and_what_to_do(build):
    with pytest.raises(Refused) as caught:
        await build({"src/index.tsx": 'import { a } from "./nothing";\nimport _ from "lodash";\nconsole.log(a, _);\n'})
    nothing, lodash = caught.value.problems
    assert (nothing.reason, nothing.path, nothing.line) == (Reason.IMPORT_UNRESOLVED, "src/index.tsx", 1)
    assert (lodash.found, lodash.line) == ("lodash", 2)
    assert "react-dom" in lodash.hints["ko"]
    assert [one for one in caught.value.told if isinstance(one, Problem)] == [nothing, lodash]


async def longest_pause(until):
    """For how long the event loop stood still, at most, until a task ended."""
    loop = asyncio.get_running_loop()
    longest, last = 0.0, loop.time()
    while not until.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, loop.time() - last), loop.time()
    return longest


async def test_a_page_of_many_imports_that_are_refused_holds_nobody_up(build):
    imports = "".join(f'import "https://evil.example/{number}";\n' for number in range(8_000))
    building = asyncio.ensure_future(build({"src/index.tsx": f"/*{'x' * (4 << 20)}*/\n{imports}"}))
    assert await longest_pause(building) < 1
    with pytest.raises(Refused) as caught:
        await building
    problems = caught.value.problems
    assert {problem.reason for problem in problems} == {Reason.IMPORT_UNRESOLVED}
    assert len(problems) == 50


async def test_a_page_whose_imports_take_too_long_to_tell_is_refused(build):
    imports = "".join(f'import "https://evil.example/{number:0150}";\n' for number in range(20_000))
    building = asyncio.ensure_future(build({"src/index.tsx": imports}))
    assert await longest_pause(building) < 1
    with pytest.raises(Refused) as caught:
        await building
    (problem,) = caught.value.problems
    assert (problem.reason, problem.path) == (Reason.BUILD_FAILED, "src/index.tsx")


async def test_every_fault_of_the_sources_is_told(build):
    files = {
        "src/index.tsx": 'import "./a";\nimport "./b";\n',
        "src/a.ts": "const a = ;\n",
        "src/b.ts": "\n\nlet b = 1; let b = 2;\n",
    }
    with pytest.raises(Refused) as caught:
        await build(files)
    assert {(problem.reason, problem.path, problem.line) for problem in caught.value.problems} == {
        (Reason.BUILD_FAILED, "src/a.ts", 1),
        (Reason.BUILD_FAILED, "src/b.ts", 3),
    }


async def test_names_in_korean_are_built(build):
    files = {
        "화면/시작.tsx": 'import { 값 } from "./값";\nexport default 값;\n',
        "화면/값.ts": "export const 값 = '양호';\n",
    }
    result, built, _ = await build(files, entry="화면/시작.tsx")
    assert "양호" in built[result.entry].decode()
    with pytest.raises(Refused) as caught:
        await build(files | {"화면/값.ts": "export const 값 = ;\n"}, entry="화면/시작.tsx", name="two")
    assert caught.value.problems[0].path == "화면/값.ts"


@pytest.mark.parametrize("entry", ["src/other.tsx", "src/in=out.tsx", "src/*.tsx", "../one/source/src/index.tsx"])
async def test_an_entry_that_is_no_file_of_the_module_is_refused(entry, build):
    with pytest.raises(Refused) as caught:
        await build(PAGE | {"src/in=out.tsx": "", "src/*.tsx": ""}, entry=entry)
    assert caught.value.problems[0].reason in {Reason.FILE_MISSING, Reason.FORBIDDEN_CHARACTER}


async def test_without_the_binary_the_build_refuses_and_says_what_is_possible_instead(tmp_path):
    with pytest.raises(toolchain.Missing) as missing:
        toolchain.find(tmp_path / "esbuild")
    (tmp_path / "esbuild").write_text("another program")
    with pytest.raises(toolchain.Missing):
        toolchain.find(tmp_path / "esbuild")
    builder = Builder(missing.value, tmp_path / "cache")
    with pytest.raises(Refused) as caught:
        await builder.build(tmp_path, "index.ts", tmp_path / "out", lambda _: None, externals=())
    (problem,) = caught.value.problems
    assert problem.reason == Reason.BUILD_UNAVAILABLE
    assert "frontend.prebuilt" in problem.hints["en"]


async def test_the_cache_keeps_what_was_used_last(esbuild, tmp_path):
    builder = Builder(esbuild, tmp_path / "cache", kept=2)
    for number in (1, 2, 1, 3, 1):
        source = tmp_path / f"source{number}"
        source.mkdir(exist_ok=True)
        (source / "index.ts").write_text(f"export default {number};")
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        result = await builder.build(source, "index.ts", out, lambda _: None, externals=())
    assert result.is_cached
    assert len(list((tmp_path / "cache").iterdir())) == 2


async def test_the_cache_keeps_no_more_bytes_than_it_may(esbuild, tmp_path):
    """Each result takes some 200 KB of the half a megabyte, with the map; the last is larger than all of it."""
    builder = Builder(esbuild, tmp_path / "cache", kept_bytes=500_000)
    kept = []
    for number, size in enumerate((90_000, 90_000, 90_000, 900_000)):
        source = tmp_path / f"source{number}"
        source.mkdir()
        (source / "index.ts").write_text(f"export default {str(number) * size!r};")
        await builder.build(source, "index.ts", tmp_path / f"out{number}", lambda _: None, externals=())
        entries = list((tmp_path / "cache").iterdir())
        kept.append(len(entries))
        sizes = [file.stat().st_size for entry in entries for file in entry.rglob("*") if file.is_file()]
        assert sum(sizes) < 600_000
    assert kept == [1, 2, 2, 2]


async def test_a_caller_who_knows_the_hashes_gets_the_same(esbuild, tmp_path):
    builder = Builder(esbuild, tmp_path / "cache")
    contents = {path: text if isinstance(text, bytes) else text.encode() for path, text in PAGE.items()}
    for path, content in contents.items():
        (tmp_path / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / path).write_bytes(content)
    first = await builder.build(
        tmp_path / "source", "src/index.tsx", tmp_path / "out", lambda _: None, externals=("react", "react/jsx-runtime")
    )
    hashes = {path: hashlib.sha256(content).digest() for path, content in contents.items()}
    again = await builder.build(
        tmp_path / "source",
        "src/index.tsx",
        tmp_path / "again",
        lambda _: None,
        externals=("react", "react/jsx-runtime"),
        hashes=hashes,
    )
    assert again.is_cached
    assert (again.key, again.assets) == (first.key, first.assets)
