"""The names that `pytest_energy` makes public."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_energy

SOURCE = Path(pytest_energy.__file__)


def declared() -> dict[str, set[str]]:
    """Names by module, as type checkers read them in the package's file."""
    imports = (
        node
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    )
    return {
        str(node.module): {alias.name for alias in node.names}
        for node in imports
        if str(node.module).startswith("pytest_energy.")
    }


@pytest.mark.parametrize("name", pytest_energy.__all__)
def test_each_name_is_there_and_documented(name: str) -> None:
    """A public name is what its module defines, and says what it is."""
    value = getattr(pytest_energy, name)
    assert value.__name__ == name
    assert value.__doc__


def test_type_checkers_read_the_names_that_a_run_gives() -> None:
    """What type checkers read, what a run gives and `__all__` are the same names from the same modules."""
    given = {module: set(names) for module, names in pytest_energy._MODULES.items()}
    assert declared() == given
    assert (
        sorted(name for names in given.values() for name in names)
        == pytest_energy.__all__
        == dir(pytest_energy)
    )


def test_another_name_is_an_attribute_error() -> None:
    """A name that is not public is refused as Python does, with the name."""
    with pytest.raises(AttributeError, match="energy_of_everything"):
        _ = pytest_energy.energy_of_everything


def test_importing_the_package_imports_none_of_its_modules() -> None:
    """`import pytest_energy` alone costs nothing."""
    code = "import sys, pytest_energy; print(*(name for name in sys.modules if 'pytest_energy.' in name))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert run.stdout.split() == []
