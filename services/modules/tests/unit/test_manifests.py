"""Manifests: what is read, and everything that is wrong at once."""

import json
import time

import pytest
from millwright_modules.domain import contents, settings
from millwright_modules.domain.manifest import reader
from millwright_modules.domain.manifest.model import Category
from millwright_modules.domain.problem import Refused
from millwright_modules.domain.versions import Version
from module_samples.packages import files, manifest


def refused(content):
    """Reason and place of each problem of a manifest."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(Refused) as caught:
        reader.read(content)
    for problem in caught.value.problems:
        assert problem.messages["en"]
        assert problem.messages["ko"]
    return {(problem.reason.value, problem.path) for problem in caught.value.problems}


def read(**changes):
    """The manifest, read."""
    return reader.read(json.dumps(manifest(**changes)).encode())


def test_a_manifest_is_read_whole():
    value = read(
        dependencies={"charts": "^1.2"},
        permissions=["judgment.read"],
        settings={"schema": {"type": "object", "properties": {"days": {"type": "integer"}}}, "defaults": {"days": 7}},
        backend={
            "rulesets": ["rules/weld.json"],
            "routes": [{"path": "/defects", "method": "millwright.judgment.v1.JudgmentService/ListExecutions"}],
        },
    )
    assert (value.code, value.version, value.category) == ("quality", Version.parse("1.0.0"), Category.FEATURE)
    assert Version.parse("1.3.0") in value.dependencies["charts"]
    assert value.settings.defaults == {"days": 7}
    assert not value.frontend.is_prebuilt
    assert value.rulesets == ("rules/weld.json",)
    assert value.routes[0].path == "/defects"


def test_a_byte_order_mark_may_stand_there():
    assert reader.read(b"\xef\xbb\xbf" + json.dumps(manifest()).encode()).code == "quality"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", ("MANIFEST_MALFORMED", "module.json")),
        (b"\xff{}", ("MANIFEST_MALFORMED", "module.json")),
        (b'{"schema_version": NaN}', ("MANIFEST_MALFORMED", "module.json")),
        (b'{"schema_version": 1e999}', ("MANIFEST_MALFORMED", "module.json")),
        (b'{"schema_version": 1' + b"0" * 5000 + b"}", ("MANIFEST_MALFORMED", "module.json")),
        (b'{"code": "a\\u0000b"}', ("MANIFEST_MALFORMED", "module.json")),
        (b'{"code": "\\ud800"}', ("MANIFEST_MALFORMED", "module.json")),
        (b'{"code": "' + b"a" * (256 << 10) + b'"}', ("MANIFEST_TOO_LARGE", "module.json")),
        (b"[" * 10_000 + b"]" * 10_000, ("MANIFEST_TOO_DEEP", "module.json")),
        (b"[" * 17 + b"]" * 17, ("MANIFEST_TOO_DEEP", "module.json")),
        (b'{"code": "a", "code": "b"}', ("DUPLICATE_KEY", "module.json")),
        (b'{"titles": {"en": "a", "en": "b"}}', ("DUPLICATE_KEY", "module.json")),
        (b"[]", ("MANIFEST_INVALID", "")),
        (b"null", ("MANIFEST_INVALID", "")),
        (manifest(surprise=1), ("UNKNOWN_KEY", "")),
        (manifest(settings={"schema": {}, "surprise": 1}), ("UNKNOWN_KEY", "/settings")),
        (manifest(schema_version=2), ("MANIFEST_INVALID", "/schema_version")),
        (manifest(code="Quality"), ("MANIFEST_INVALID", "/code")),
        (manifest(code="../quality"), ("MANIFEST_INVALID", "/code")),
        (manifest(code="quality\n"), ("MANIFEST_INVALID", "/code")),
        (manifest(titles={}), ("MANIFEST_INVALID", "/titles")),
        (manifest(category="toy"), ("MANIFEST_INVALID", "/category")),
        (manifest(platform=None), ("MANIFEST_INVALID", "")),
        (manifest(version="1.0"), ("INVALID_VERSION", "/version")),
        (manifest(platform="latest"), ("INVALID_RANGE", "/platform")),
        (manifest(dependencies={"charts": "one"}), ("INVALID_RANGE", "/dependencies/charts")),
        (manifest(dependencies={"quality": "*"}), ("DEPENDENCY_CYCLE", "quality")),
        (manifest(permissions=["root"]), ("MANIFEST_INVALID", "/permissions/0")),
        (manifest(frontend={}), ("MANIFEST_INVALID", "/frontend")),
        (manifest(frontend={"entry": "a.ts", "prebuilt": "b.js"}), ("MANIFEST_INVALID", "/frontend")),
        (manifest(frontend={"entry": "a.ts", "externals": ["fs"]}), ("UNKNOWN_EXTERNAL", "/frontend/externals/0")),
        (manifest(settings={"schema": {"type": 7}}), ("INVALID_SETTINGS_SCHEMA", "/settings/schema/type")),
        (
            manifest(settings={"schema": {"$ref": "https://example.com/schema"}}),
            ("INVALID_SETTINGS_SCHEMA", "/settings/schema/$ref"),
        ),
        (
            manifest(settings={"schema": {"required": ["days"]}}),
            ("INVALID_DEFAULTS", "/settings/defaults"),
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_place(content, expected):
    assert expected in refused(content)


def test_all_problems_are_told_at_once():
    assert refused(manifest(version="one", platform="two", dependencies={"charts": "three"})) == {
        ("INVALID_VERSION", "/version"),
        ("INVALID_RANGE", "/platform"),
        ("INVALID_RANGE", "/dependencies/charts"),
    }


def test_what_the_manifest_names_must_be_there():
    value = read(backend={"rulesets": ["rules/weld.json"], "workflows": ["flows/hold.yaml"]})
    found = {(problem.reason.value, problem.path) for problem in contents.problems(value, set(files()))}
    assert found == {("FILE_MISSING", "/backend/rulesets/0"), ("FILE_MISSING", "/backend/workflows/0")}


@pytest.mark.parametrize("path", ["inner.zip", "run.sh", "lib.so", "page.html", "a.py", ".env", "Makefile", "x.node"])
def test_kinds_of_files_that_no_module_needs_are_refused(path):
    (problem,) = contents.problems(read(), {*files(), path})
    assert (problem.reason, problem.path) == ("FORBIDDEN_FILE_TYPE", path)


@pytest.mark.parametrize("path", ["LICENSE", "README.md", "a/b/LOGO.PNG", ".gitignore", "font.woff2"])
def test_kinds_of_files_that_modules_have_are_taken(path):
    assert not list(contents.problems(read(), {*files(), path}))


MIGRATED = {
    "schema": {"type": "object"},
    "defaults": {"days": 7, "unit": "ppm"},
    "migrations": [
        {"below": "3.0.0", "operations": [{"op": "remove", "key": "old"}, {"op": "set", "key": "unit", "value": "%"}]},
        {"below": "2.0.0", "operations": [{"op": "rename", "key": "span", "to": "days"}]},
    ],
}


@pytest.mark.parametrize(
    ("saved_under", "values", "expected"),
    [
        ("1.0.0", {"span": 3, "old": 1}, {"days": 3, "unit": "%"}),
        ("2.0.0", {"days": 3, "old": 1}, {"days": 3, "unit": "%"}),
        ("3.0.0", {"days": 3, "old": 1}, {"days": 3, "old": 1, "unit": "ppm"}),
        ("2.5.0", {}, {"days": 7, "unit": "%"}),
    ],
)
def test_settings_follow_the_version(saved_under, values, expected):
    value = read(settings=MIGRATED).settings
    assert settings.migrate(values, Version.parse(saved_under), value) == expected


def test_settings_that_do_not_fit_are_told_by_pointer():
    value = read(settings={"schema": {"properties": {"limits": {"items": {"type": "integer"}}}}}).settings
    assert [fault.field for fault in settings.faults({"limits": [1, "two"]}, value)] == ["/limits/1"]
    assert not settings.faults({"limits": [1, 2]}, value)


def chain(part, levels=28):
    """A schema of `levels` parts, each made by `part` of a reference to the next one."""
    parts = {f"d{level}": part({"$ref": f"#/$defs/d{level + 1}"}) for level in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": parts | {f"d{levels}": {"type": "object"}}}


def unevaluated(following):
    """A part whose `unevaluated…` checks again what `if` and `dependentSchemas` have checked."""
    beside = {"unevaluatedItems": False, "unevaluatedProperties": False}
    return {"if": following, "else": False, "dependentSchemas": {"a": following}, **beside}


COSTLY = {
    "doubling": (chain(lambda following: {"allOf": [following, following]}), {}),
    "doubling by properties": (
        chain(lambda following: {"properties": {"a": following}, "patternProperties": {"a": following}}),
        {},
    ),
    "unevaluated": (chain(unevaluated, 16), {"a": 1}),
    "many parts": ({"allOf": [{"required": ["a"]}] * 5_000}, {}),
    "huge enum": ({"properties": {"a": {"enum": [f"{number:020}" for number in range(10_000)]}}}, {}),
    "many patterns": ({"patternProperties": {f"({number}|a)*b": True for number in range(200)}}, {}),
    "many references": (chain(lambda following: following, 100), {}),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_schema_that_would_hold_the_service_up_is_refused_unused(name):
    schema, defaults = COSTLY[name]
    begin = time.process_time()
    problems = refused(manifest(settings={"schema": schema, "defaults": defaults}))
    assert time.process_time() - begin < 1
    ((reason, path),) = problems
    assert reason == "SCHEMA_TOO_COSTLY"
    assert path.startswith("/settings/schema")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"properties": {"tree": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}},
    ],
)
def test_a_schema_that_leads_in_a_circle_is_refused_with_its_place(schema):
    ((reason, path),) = refused(manifest(settings={"schema": schema}))
    assert (reason, path.rpartition("/")[2]) == ("SCHEMA_RECURSIVE", "$ref")


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"$ref": "#a", "$defs": {"a": {"$anchor": "a"}}}, "/$ref"),
        ({"$defs": {"a": {"$dynamicAnchor": "a"}}}, "/$defs/a/$dynamicAnchor"),
        ({"$dynamicRef": "#a", "$dynamicAnchor": "a"}, "/$dynamicRef"),
        ({"$defs": {"a": {"$id": "https://example.com/a"}}}, "/$defs/a/$id"),
        ({"$id": "https://json-schema.org/draft/2020-12/schema"}, "/$id"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "/$ref"),
        ({"$ref": "#/$defs/%61", "$defs": {"%61": {}, "a": {"$ref": "#/$defs/%61"}}}, "/$ref"),
        ({"$ref": "#/allOf/+0", "allOf": [True]}, "/$ref"),
        ({"$ref": "#/$defs/none"}, "/$ref"),
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, "/$schema"),
        ({"properties": {"a": {"pattern": "(?=a)a"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": r"(a)\1"}}}, "/properties/a/pattern"),
        ({"properties": {"a": {"pattern": "((a{99}){99}){99}"}}}, "/properties/a/pattern"),
    ],
)
def test_a_schema_whose_cost_cannot_be_told_is_refused_with_its_place(schema, place):
    assert refused(manifest(settings={"schema": schema})) == {("INVALID_SETTINGS_SCHEMA", f"/settings/schema{place}")}


def test_a_pattern_is_checked_in_time_that_grows_with_the_text_alone():
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    begin = time.process_time()
    found = refused(manifest(settings={"schema": schema, "defaults": {"a": "a" * 50_000 + "!"}}))
    assert time.process_time() - begin < 1
    assert found == {("INVALID_DEFAULTS", "/settings/defaults/a")}


def test_values_that_would_take_too_long_are_refused_unchecked():
    schema = {"properties": {"a": {"items": {"enum": list(range(5_000))}}}}
    begin = time.process_time()
    found = refused(manifest(settings={"schema": schema, "defaults": {"a": [-1] * 20_000}}))
    assert time.process_time() - begin < 1
    assert found == {("INVALID_DEFAULTS", "/settings/defaults")}
    value = read(settings={"schema": schema, "defaults": {"a": [1]}}).settings
    (fault,) = settings.faults({"a": [-1] * 20_000}, value)
    assert (fault.field, fault.reason) == ("", "INVALID_SETTING")


def test_of_many_faults_the_first_is_told_at_once():
    schema = {"properties": {"a": {"items": {"required": [f"key{number}" for number in range(1_000)]}}}}
    begin = time.process_time()
    found = refused(manifest(settings={"schema": schema, "defaults": {"a": [{}] * 1_000}}))
    assert time.process_time() - begin < 1
    assert found == {("INVALID_DEFAULTS", "/settings/defaults/a/0")}


def test_schemas_as_people_write_them_are_taken():
    limit = {"type": "number", "minimum": 0, "maximum": 100}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://example.com/quality",
        "$defs": {
            "limit": limit,
            "line": {"properties": {"low": {"$ref": "#/$defs/limit"}, "$id": {"type": "string"}}},
        },
        "properties": {
            **{f"line{number}": {"$ref": "#/$defs/line"} for number in range(50)},
            "code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
            "name": {"type": "string", "pattern": r"^[가-힣\w ]{1,40}$"},
            "shift": {"enum": ["day", "night"]},
            "table": {"type": "array", "items": {"$ref": "#/$defs/limit"}},
        },
        "unevaluatedProperties": False,
    }
    defaults = {
        "line7": {"low": 1},
        "code": "AB-1234",
        "name": "용접 7",
        "table": [number / 20 for number in range(100)],
    }
    assert read(settings={"schema": schema, "defaults": defaults}).settings.defaults == defaults
    assert refused(manifest(settings={"schema": schema, "defaults": {"line7": {"low": -1}}})) == {
        ("INVALID_DEFAULTS", "/settings/defaults/line7/low")
    }


def test_a_module_without_settings_takes_none():
    assert settings.faults({"days": 1}, None)
    assert not settings.faults({}, None)
