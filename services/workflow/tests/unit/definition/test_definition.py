import contextlib
import hashlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from millwright_workflow.domain.definition import InvalidDefinition, load, parse, walk_tasks

SOURCE = """
document:
  dsl: '1.0.3'
  namespace: plant
  name: seal-check
  version: 1.2.0
do:
  - measure:
      call: http
      with: { method: get, endpoint: 'https://plant.example/seals/{seal}' }
  - judge:
      try:
        - weigh: { set: { heavy: '${ .weight > 3 }' } }
      catch:
        as: problem
        do:
          - note: { set: { failed: true } }
"""


def test_a_definition_knows_what_it_is_called():
    definition = parse(SOURCE)
    assert (definition.namespace, definition.name, definition.semver) == ("plant", "seal-check", "1.2.0")
    assert definition.source == SOURCE


def test_yaml_and_json_of_the_same_document_have_the_same_hash():
    definition = parse(SOURCE)
    same = parse(json.dumps(json.loads(definition.canonical), indent=3))
    assert same.canonical == definition.canonical
    assert same.content_hash == hashlib.sha256(definition.canonical).digest()


def test_tasks_are_known_by_their_json_pointer():
    definition = parse(SOURCE)
    pointers = ["/do/0/measure", "/do/1/judge", "/do/1/judge/try/0/weigh", "/do/1/judge/catch/do/0/note"]
    assert [(pointer, name) for pointer, name, _ in walk_tasks(definition.document)] == [
        (pointer, pointer.rpartition("/")[2]) for pointer in pointers
    ]
    assert set(definition.task_hashes) == set(pointers)


def test_the_hash_of_a_task_changes_only_with_the_task():
    before, after = parse(SOURCE).task_hashes, parse(SOURCE.replace("failed: true", "failed: false")).task_hashes
    changed = {pointer for pointer in before if before[pointer] != after[pointer]}
    assert changed == {"/do/1/judge", "/do/1/judge/catch/do/0/note"}


def test_a_stored_definition_loads_as_it_was_published():
    definition = parse(SOURCE)
    loaded = load(definition.canonical)
    assert loaded.document == definition.document
    assert loaded.content_hash == definition.content_hash
    assert loaded.expressions == definition.expressions
    assert loaded.task_hashes == definition.task_hashes


def test_a_definition_cannot_be_changed():
    definition = parse(SOURCE)
    with pytest.raises(AttributeError):
        definition.content_hash = b""
    with pytest.raises(TypeError):
        definition.task_hashes["/do/0/measure"] = b""
    with pytest.raises(ValueError, match="frozen"):
        definition.document.do = ()


def test_faults_of_reading_and_of_meaning_are_told_together(faults_of):
    source = SOURCE.replace("do:\n  - measure", "timeout: long\ntimeout: long\nlimit: .inf\ndo:\n  - measure")
    assert faults_of(source) == [
        ("INVALID_VALUE", "/limit"),
        ("UNKNOWN_KEY", "/limit"),
        ("DUPLICATE_KEY", "/timeout"),
        ("UNKNOWN_REFERENCE", "/timeout"),
    ]


def test_a_definition_of_a_mebibyte_is_parsed_in_time():
    tasks = "".join(
        f"  - t{index}:\n      if: .a == {index}\n      set: {{x: '${{ .b }}', pad: {'y' * 240}}}\n"
        for index in range(3_250)
    )
    source = SOURCE.partition("  - measure")[0] + tasks
    assert 900_000 < len(source) <= 1024 * 1024
    began = time.perf_counter()
    parse(source)
    assert time.perf_counter() - began < 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["do", "set", "call", "with", "for", "in", "try", "catch", "use", "document", "then", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(JSON, JSON)
def test_parsing_accepts_or_names_faults_but_never_fails(use, do):
    document = {"dsl": "1.0.0", "namespace": "a", "name": "b", "version": "1.0.0"}
    with contextlib.suppress(InvalidDefinition):
        parse(json.dumps({"document": document, "use": use, "do": do}))


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_parsing_any_text_ends_in_a_definition_or_in_faults(source):
    with pytest.raises(InvalidDefinition):
        parse(source)


@given(st.randoms(use_true_random=False))
def test_the_canonical_form_does_not_depend_on_the_order_of_keys(random):
    def shuffled(value):
        if isinstance(value, dict):
            items = [(key, shuffled(part)) for key, part in value.items()]
            random.shuffle(items)
            return dict(items)
        return [shuffled(part) for part in value] if isinstance(value, list) else value

    definition = parse(SOURCE)
    assert parse(json.dumps(shuffled(json.loads(definition.canonical)))).canonical == definition.canonical
