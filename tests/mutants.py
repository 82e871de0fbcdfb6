"""Documents with mistakes that people, merges and strangers make in them."""

import json
import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

Place = tuple[str | int, ...]

# What no place in a document expects: each is right somewhere, and wrong nearly everywhere.
VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -0.0, -1, 1.5, 10**30, 10**400, -(10**400), float("nan"), float("inf")),
    *("", "x", "\ud800", "gpu:0", "measured", "void", "passed", "2026-11-20T10:00:00Z"),
    *(
        "\x1b[31m\n::error::x\u202e",
        "0001-01-01T00:00:00+23:59",
        [],
        {},
        [[]],
        [None],
        {"\ud800": 1},
        {"a": {}},
    ),
)
NUMBERS = (5e-324, 1e-300, 1e-30, 1e-15, 1e-9, -1.0, 0.0, 1.0, 1e9, 1e15, 1e29, 1e30, 1e300, 1.7e308)


def mutated(text: str, rng: random.Random) -> str:
    """The JSON *text* with values replaced, deleted, renamed, repeated or moved, or with damaged letters."""
    if rng.random() < 0.25:
        return _damaged(text, rng)
    document = json.loads(text)
    if rng.random() < 0.25:
        _scale(document, rng)
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = [place for place in _places(document) if place]
        if not places:
            break
        _change(document, rng.choice(places), deepcopy(_at(document, rng.choice(places))), rng)
    mutant = json.dumps(document)
    return (
        mutant.replace('"duration_s":', '"duration_s": "twice", "duration_s":')
        if rng.random() < 0.1
        else mutant
    )


def _damaged(text: str, rng: random.Random) -> str:
    start = rng.randrange(len(text))
    damage = rng.choice([*'{}],"\x00é', "", "NaN", "1e999", "[" * 100_000, "9" * 5000])
    rest = text[start + rng.randrange(30) :] if rng.random() < 0.75 else ""
    return f"{text[:start]}{damage}{rest}"


def _scale(document: Any, rng: random.Random) -> None:
    """Make every number of one name as large or as small as a document's can be, or more."""
    numbers = [place for place in _places(document) if type(_at(document, place)) in {int, float}]
    if not numbers:
        return
    name, number = rng.choice(numbers)[-1], rng.choice(NUMBERS)
    is_factor = rng.random() < 0.5
    for *outer, key in (place for place in numbers if place[-1] == name):
        parent = _at(document, outer)
        parent[key] = parent[key] * number if is_factor else number


def _change(document: Any, place: Place, other: object, rng: random.Random) -> None:
    *outer, key = place
    parent = _at(document, outer)
    match rng.randrange(6):
        case 0:
            del parent[key]
        case 1:
            parent[key] = other
        case 2 if isinstance(parent, dict):
            parent[rng.choice(["more", "\ud800", "energy_j"])] = parent.pop(key)
        case 3:
            parent[key] = [parent[key]] if rng.random() < 0.5 else str(parent[key])
        case 4 if isinstance(parent[key], list):
            parent[key] = deepcopy(parent[key] * rng.choice([0, 2, 20]))
        case _:
            parent[key] = rng.choice(VALUES)


def _places(node: Any, path: Place = ()) -> list[Place]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in items for place in _places(value, (*path, key)))]


def _at(node: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        node = node[step]
    return node
