"""JSON Schemas made from the types that read and write: what they say of a value, and their docstrings."""

import json
import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import msgspec

from pytest_energy.baselines.schema import StoredBaseline
from pytest_energy.codec import MOST_NAMES, MOST_NUMBER, MOST_TEXT, MOST_WHOLE, NULLABLE, Document
from pytest_energy.judgement_documents import Test
from pytest_energy.report.to_json import HOISTED, Load, Run

Node = dict[str, Any]

WITHOUT_HOISTED = (Test, Load)
"""What says of machine and sensors only what the top of the run doesn't."""

KINDS: dict[str, tuple[str, type[Document]]] = {
    "run": ("Run, format 1", Run),
    "baseline": ("Baseline, format 1", StoredBaseline),
}

IS_VOID = {"properties": {"void_because": {"type": "string"}}, "required": ["void_because"]}
IS_ABSENT = {"properties": {"energy_j": {"type": "null"}}}
RULES: dict[str, Node] = {
    "round": {
        "if": IS_VOID,
        "then": {"properties": {"energy_j": {"type": "null"}}},
        "else": {
            "if": {"properties": {"channels": {"maxProperties": 0}}},
            "then": {"properties": {"energy_j": {"type": "null"}}, "required": ["resting_channels"]},
            "else": {"properties": {"energy_j": {"type": "number"}}},
        },
    },
    "test": {
        "if": IS_ABSENT,
        "then": {"properties": {"energy_ci_j": {"type": "null"}, "uncertainty_j": {"type": "null"}}},
        "else": {"properties": {"energy_ci_j": {"type": "array"}, "uncertainty_j": {"type": "number"}}},
        "dependentRequired": {
            "energy_per_token_j": ["output_tokens"],
            "output_tokens": ["energy_per_token_j"],
        },
    },
}
"""What one key says of another: no type can."""

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def text(name: str) -> str:
    """The schema of the document *name*, as its file holds it."""
    title, kind = KINDS[name]
    _, definitions = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    classes = {one.__name__: one for one in _subclasses(Document)}
    nodes = {each.lower(): _definition(node, classes.get(each)) for each, node in definitions.items()}
    root = nodes.pop(kind.__name__.lower())
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:pytest-energy:{name}:1",
        "title": title,
        **root,
        "$defs": dict(sorted(nodes.items())),
    }
    return json.dumps(schema, indent=2) + "\n"


def _subclasses(kind: type[Document]) -> Iterator[type[Document]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)


def _definition(node: Node, kind: type[Document] | None) -> Node:
    """One type: tidied, closed, and with the descriptions of its docstring."""
    made = {"description": _summary(node.get("description", ""))} | {
        key: value for key, value in _tidied(node).items() if key != "description"
    }
    if kind is None:
        return made
    words, properties, required = _attributes(kind), made["properties"], []
    for field in msgspec.structs.fields(kind):
        member = properties[field.encode_name]
        if field.default is None and not _is_always_written(field):
            member = _without_null(member)
        if field.name in words:
            member = {"description": words[field.name]} | member
        properties[field.encode_name] = member
        if _is_always_written(field) and not (issubclass(kind, WITHOUT_HOISTED) and field.name in HOISTED):
            required.append(field.encode_name)
    return made | {"required": required, "additionalProperties": False} | RULES.get(kind.__name__.lower(), {})


def _is_always_written(field: msgspec.structs.FieldInfo) -> bool:
    return field.required or field.default_factory is NULLABLE.default_factory


def _summary(docstring: str) -> str:
    return " ".join(docstring.partition("Attributes:")[0].split())


def _attributes(kind: type) -> dict[str, str]:
    """Attribute to what the docstrings of *kind* and of what it extends say of it."""
    words: dict[str, str] = {}
    for one in reversed(kind.__mro__):
        _, _, section = cleandoc(one.__doc__ or "").partition("Attributes:\n")
        words |= {name: " ".join(sentence.split()) for name, sentence in _ATTRIBUTE.findall(section)}
    return words


def _tidied(node: object) -> Any:
    """*node* without what only a reader needs, and with what is true of all that is written."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _tidied(value) for key, value in node.items() if key not in {"title", "default", "written"}}
    made = {
        key: value
        for key, value in made.items()
        if not _is_limit(value) and (key, value) != ("propertyNames", {})
    }
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].lower()
    return _in_short(made) | node.get("written", {})


def _is_limit(value: object) -> bool:
    """Whether *value* is how far the reader goes: the same everywhere, and nothing written comes near."""
    return isinstance(value, int | float) and abs(value) in {MOST_NUMBER, MOST_WHOLE, MOST_TEXT, MOST_NAMES}


def _in_short(node: Node) -> Node:
    """The same said in fewer words: a plain kind or null, a pair of one kind, the only choice."""
    kinds, pair = node.get("anyOf", []), node.get("prefixItems", [])
    if pair and all(item == pair[0] for item in pair):
        return {key: value for key, value in node.items() if key != "prefixItems"} | {"items": pair[0]}
    if len(node.get("enum", [])) == 1:
        return {"const": node["enum"][0]}
    if len(kinds) == 2 and kinds[1] == {"type": "null"} and isinstance(kinds[0].get("type"), str):
        return {**kinds[0], "type": [kinds[0]["type"], "null"]}
    return node


def _without_null(node: Node) -> Node:
    if isinstance(node.get("type"), list):
        return {**node, "type": node["type"][0]}
    return node
