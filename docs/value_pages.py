"""Pages of what a run writes down: its metrics and its JSON."""  # noqa: INP001  # beside the pages that it makes

import json
from collections.abc import Mapping
from typing import Any

from docs.markdown import code, page, table
from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS
from pytest_energy.report import schema


def metrics_page() -> str:
    rows = (
        (code(name), metric.unit, metric.formula, metric.meaning, metric.source)
        for name, metric in METRICS.items()
    )
    ranked = ", ".join(code(name) for name, metric in METRICS.items() if metric.is_ranked)
    return page(
        "Metrics",
        "pytest_energy/metrics/table.py",
        "The metrics of a record, under `metrics` in the JSON. A metric that can't be computed "
        "is `null`, with its reason under `absent`.",
        table(("metric", "unit", "formula", "meaning", "source"), rows),
        f"Ranked with joules a sample, over the models of a group: {ranked}, and your own.",
        "The study's own rank correlations are listed beside ours in the groups "
        + ", ".join(code(group) for group in PAPER_RHO)
        + "; [paper.md](../paper.md) compares them.",
    )


def json_page() -> str:
    parts = []
    for name in schema.NAMES:
        document = json.loads(schema.text(name))
        parts.append(f"## {document['title']}\n\n{document['description']}\n\n{members(document)}")
    definitions = {
        name: node
        for document in schema.NAMES
        for name, node in json.loads(schema.text(document))["$defs"].items()
    }
    shown = (
        f"### `{name}`\n\n{node.get('description', '')}\n\n{members(node)}"
        for name, node in sorted(definitions.items())
        if "properties" in node
    )
    return page(
        "JSON",
        "pytest_energy/report/schema",
        "Two documents are written for programs. Their JSON Schemas (draft 2020-12) come with the package:",
        "```sh\npytest-energy schema run\npytest-energy schema baseline\n```",
        "A new key is no new format, a changed or removed one is. A value that was not measured is `null`, "
        "never 0.",
        *parts,
        "## What they are made of",
        *shown,
    )


def members(node: Mapping[str, Any]) -> str:
    required = node.get("required", ())
    rows = (
        (
            code(name),
            kind(member),
            "" if name in required else "may be left out",
            member.get("description", ""),
        )
        for name, member in node["properties"].items()
    )
    return table(("key", "is", "", "meaning"), rows)


def kind(node: Mapping[str, Any]) -> str:
    """The type of a value, in words."""
    if "$ref" in node:
        return str(node["$ref"]).removeprefix("#/$defs/")
    if "anyOf" in node:
        return " or ".join(kind(one) for one in node["anyOf"])
    if "enum" in node or "const" in node:
        return ", ".join(code(str(one)) for one in node.get("enum", [node.get("const")]))
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return " or ".join(type_name(str(one), node) for one in types)


def type_name(name: str, node: Mapping[str, Any]) -> str:
    if name == "array":
        return f"list of {kind(node['items'])}"
    if name == "object" and isinstance(node.get("additionalProperties"), dict):
        return f"name to {kind(node['additionalProperties'])}"
    return {"string": "text", "integer": "whole number"}.get(name, name)
