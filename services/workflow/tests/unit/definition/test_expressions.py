import pytest
from millwright_workflow.domain.definition import forbidden_words, parse


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("env", ("env",)),
        ("env.PATH", ("env",)),
        ("1.env", ("env",)),
        ("..env", ("env",)),
        (". env", ("env",)),
        ("a::env", ("env",)),
        ("$ENV.PATH", ("$ENV",)),
        ("$ ENV", ("$ENV",)),
        ("$#comment\nENV", ("$ENV",)),
        ("$__prog_args", ("$__prog_args",)),
        ("input, inputs", ("input", "inputs")),
        ("debug | stderr | halt | halt_error", ("debug", "stderr", "halt", "halt_error")),
        ("input_filename, input_line_number", ("input_filename", "input_line_number")),
        ('import "a" as a; include "b";', ("import", "include")),
        ("get_search_list, modulemeta", ("get_search_list", "modulemeta")),
        ('"\\(env)"', ("env",)),
        ('"a\\("b\\(env)" + "c")d"', ("env",)),
        ('@base64 "\\(env)"', ("env",)),
        ("{(env): 1}", ("env",)),
        ("{a: env}", ("env",)),
        ("{a: 1 | env}", ("env",)),
        ("{$ENV}", ("$ENV",)),
        ("{a: if . then 1, env else 2 end}", ("env",)),
        ('{"a": [1, env]}', ("env",)),
        ('"\\\\" + env + "\\\\"', ("env",)),
        ("# a comment\nenv", ("env",)),
        ('# \\\n " \n env # "', ("comments with a backslash",)),
        ("env, env", ("env",)),
    ],
)
def test_what_reaches_outside_is_found(expression, words):
    assert forbidden_words(expression)[: len(words)] == words


@pytest.mark.parametrize(
    "expression",
    [
        ".env",
        ".a.env.input",
        '."env"',
        '.["env"]',
        "{env: 1, input: 2}",
        "{env}",
        "{a: 1, debug}",
        '"env input debug"',
        '"say \\"env\\""',
        "# env",
        "$input | $env",
        'getpath(["env"])',
        "now | environment",
        "@json",
        "",
    ],
)
def test_what_only_looks_like_it_is_not(expression):
    assert forbidden_words(expression) == ()


@pytest.mark.parametrize("text", ['"', '"\\(', "\\", "{,,,", ")))", "$", "é", '"\\', "if if if", "end end"])
def test_text_that_is_no_program_does_no_harm(text):
    assert forbidden_words(text) == ()


def sites(definition):
    return {site.pointer: site.expression for site in definition.expressions}


def test_every_expression_is_listed_with_its_place(written):
    source = written(
        [
            {"a": {"if": ".ready", "set": {"x": "${ .b }", "y": ["plain", "${.c}"], "z": "not ${ .d } all"}}},
            {"b": {"for": {"in": "${ .items }"}, "while": ".go", "do": [{"c/d": {"set": "${ . }"}}]}},
            {"e": {"switch": [{"yes": {"when": ".y", "then": "end"}}]}},
            {"f": {"try": [], "catch": {"when": ".w", "exceptWhen": ".v", "retry": {"when": ".r"}}}},
            {"g": {"wait": "${ .pause }", "metadata": {"note": "${ none }"}, "output": {"as": {"k": "${ .o }"}}}},
        ],
        input={"from": ".in", "schema": {"document": {"const": "${ none }"}}},
        output={"as": "${ .out }"},
    )
    assert sites(parse(source)) == {
        "/do/0/a/if": ".ready",
        "/do/0/a/set/x": ".b",
        "/do/0/a/set/y/1": ".c",
        "/do/1/b/for/in": ".items",
        "/do/1/b/while": ".go",
        "/do/1/b/do/0/c~1d/set": ".",
        "/do/2/e/switch/0/yes/when": ".y",
        "/do/3/f/catch/when": ".w",
        "/do/3/f/catch/exceptWhen": ".v",
        "/do/3/f/catch/retry/when": ".r",
        "/do/4/g/wait": ".pause",
        "/do/4/g/output/as/k": ".o",
        "/input/from": ".in",
        "/output/as": ".out",
    }


def test_events_and_calls_hold_expressions_too(written):
    source = written(
        [
            {
                "a": {
                    "listen": {"to": {"any": [{"with": {"data": "${ .hot }", "shift": "${ .s }"}}], "until": ".n > 3"}}
                }
            },
            {
                "b": {
                    "call": "http",
                    "with": {"method": "post", "endpoint": "${ .uri }", "headers": "${ .h }", "body": {"a": "${ .a }"}},
                }
            },
        ]
    )
    assert sites(parse(source)) == {
        "/do/0/a/listen/to/any/0/with/data": ".hot",
        "/do/0/a/listen/to/any/0/with/shift": ".s",
        "/do/0/a/listen/to/until": ".n > 3",
        "/do/1/b/with/endpoint": ".uri",
        "/do/1/b/with/headers": ".h",
        "/do/1/b/with/body/a": ".a",
    }


def test_an_expression_of_more_than_64_kib_is_refused(written, faults_of):
    task = {"if": "1" + "+1" * 33_000, "set": {"a": 1}}
    assert faults_of(written([{"a": task}])) == [("EXPRESSION_TOO_LONG", "/do/0/a/if")]


def test_an_expression_that_reaches_outside_is_refused(written, faults_of):
    task = {"set": {"a": "${ $ENV.PATH }"}}
    assert faults_of(written([{"a": task}])) == [("EXPRESSION_FORBIDDEN", "/do/0/a/set/a")]
