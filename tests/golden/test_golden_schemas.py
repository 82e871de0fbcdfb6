"""The JSON Schemas that come with the package are those of the types. `make golden` accepts new ones."""

import os
from pathlib import Path

import pytest

from pytest_energy.report import schema
from tests.golden import json_schemas

FOLDER = Path(schema.__file__).parent


def test_every_document_has_a_schema() -> None:
    """What the command prints is what is made here."""
    assert set(schema.NAMES) == set(json_schemas.KINDS)


@pytest.mark.parametrize("name", schema.NAMES)
def test_a_schema_is_that_of_the_types(name: str) -> None:
    """The file is what the types say, to the letter."""
    path, made = FOLDER / f"{name}.schema.json", json_schemas.text(name)
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.write_text(made, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == made
