"""Reads the graph of a GoRules decision (JDM): one input, tables in a chain, one output; nothing else.

Owns which nodes are allowed and in what order they judge. What a table holds is `tables`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from millwright_judgment.domain.findings import Code
from millwright_judgment.domain.ruleset.limits import TABLES
from millwright_judgment.domain.ruleset.reader import Reader, Steps

INPUT, TABLE, OUTPUT = "inputNode", "decisionTableNode", "outputNode"
_FORBIDDEN = {
    "functionNode": "code cannot be analysed, and has no time limit",
    "expressionNode": "put what it calculates into the input",
    "switchNode": "write its conditions as columns of the table",
    "decisionNode": "a decision in another file has no version here: copy its tables",
    "customNode": "nobody but its author knows what it does",
}
_NODES = 64


@dataclass(frozen=True, slots=True)
class TableNode:
    """A node that holds a table, and where it stands in the document."""

    at: Steps
    id: str
    name: str
    content: Mapping[str, Any]


def read_chain(reader: Reader, value: Any, at: Steps) -> list[TableNode]:
    """Read a decision's tables in the order they judge; if it is no chain, in the order of the document."""
    decision = reader.object(value, at, required=("nodes", "edges"))
    tables: dict[str, TableNode] = {}
    ends: dict[str, list[str]] = {INPUT: [], OUTPUT: []}
    seen: Counter[str] = Counter()
    for place, item in reader.list(decision.get("nodes", []), (*at, "nodes"), _NODES):
        node = reader.object(item, place, required=("id", "type"))
        id_ = reader.text(node.get("id"), (*place, "id")) if node.get("id") is not None else None
        kind = node.get("type")
        name = node.get("name")
        label = name if isinstance(name, str) and name else id_ or ""
        if kind not in (INPUT, TABLE, OUTPUT):
            _refuse(reader, place, kind, label)
        elif id_ is not None:
            seen[id_] += 1
            if seen[id_] > 1:
                reader.note(Code.BROKEN_GRAPH, (*place, "id"), f"Two nodes have the id {id_}: change one.")
            if kind == TABLE:
                tables[id_] = TableNode(place, id_, label, reader.object(node.get("content"), (*place, "content")))
            else:
                ends[kind].append(id_)
    if not tables or len(tables) > TABLES:
        reader.note(Code.BROKEN_GRAPH, (*at, "nodes"), f"Put 1 to {TABLES} decision tables between input and output.")
    for kind, found in ends.items():
        if len(found) != 1:
            reader.note(Code.BROKEN_GRAPH, (*at, "nodes"), f"Keep exactly one {kind}; there are {len(found)}.")
    for name in [name for name, count in Counter(node.name for node in tables.values()).items() if count > 1]:
        message = f"Two tables are called '{name[:100]}': change one, so that people can tell them apart."
        reader.note(Code.BROKEN_GRAPH, (*at, "nodes"), message)
    if any(finding.code in {Code.BROKEN_GRAPH, Code.FORBIDDEN_NODE} for finding in reader.findings):
        return list(tables.values())
    return _ordered(reader, decision.get("edges", []), (*at, "edges"), tables, ends[INPUT][0], ends[OUTPUT][0])


def _refuse(reader: Reader, place: Steps, kind: Any, label: str) -> None:
    if isinstance(kind, str) and kind:
        why = _FORBIDDEN.get(kind, "it is not known here")
        message = f"Replace the {kind} '{label[:100]}' by decision tables: {why}."
        reader.note(Code.FORBIDDEN_NODE, (*place, "type"), message)


def _ordered(
    reader: Reader, value: Any, at: Steps, tables: Mapping[str, TableNode], begin: str, end: str
) -> list[TableNode]:
    follows: dict[str, list[str]] = {}
    for place, item in reader.list(value, at, 4 * _NODES):
        edge = reader.object(item, place, required=("sourceId", "targetId"))
        source, target = edge.get("sourceId"), edge.get("targetId")
        if not isinstance(source, str) or not isinstance(target, str):
            continue
        for end_ in (source, target):
            if end_ not in tables and end_ not in {begin, end}:
                reader.note(Code.BROKEN_GRAPH, place, f"The edge touches '{end_[:100]}', which is no node: remove it.")
        follows.setdefault(source, []).append(target)
    chain: list[TableNode] = []
    at_node = begin
    while at_node != end:
        nexts = follows.get(at_node, [])
        if len(nexts) != 1 or (nexts[0] != end and (nexts[0] not in tables or tables[nexts[0]] in chain)):
            break
        at_node = nexts[0]
        if at_node != end:
            chain.append(tables[at_node])
    if at_node != end or len(chain) != len(tables) or follows.get(end):
        message = "Connect the nodes as one chain: input, each table once, output."
        reader.note(Code.BROKEN_GRAPH, at, message)
        return list(tables.values())
    return chain
