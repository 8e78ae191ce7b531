"""How the tests of definitions write a document and read its faults."""

import json

import pytest
from millwright_workflow.domain.definition import InvalidDefinition, parse

_DOCUMENT = {"dsl": "1.0.1", "namespace": "plant", "name": "seal", "version": "2.3.4"}


@pytest.fixture(scope="session")
def written():
    """Give a function that writes a definition from its tasks and other sections."""

    def write(do=(), **sections):
        return json.dumps({"document": _DOCUMENT, "do": do, **sections})

    return write


@pytest.fixture(scope="session")
def faults_of():
    """Give a function that parses text and gives the faults as (reason, pointer)."""

    def find(source):
        with pytest.raises(InvalidDefinition) as caught:
            parse(source)
        assert all(fault.message.endswith(".") for fault in caught.value.faults)
        return [(fault.reason.value, fault.pointer) for fault in caught.value.faults]

    return find
