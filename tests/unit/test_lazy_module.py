"""A module that is imported at its first use."""

import decimal
import sys
import types
from pathlib import Path

import pytest

from pytest_energy.lazy_module import LazyModule, put_back


def test_what_is_asked_of_it_is_the_module_s_own() -> None:
    """No copies and no wrappers: `isinstance` and `except` hold."""
    assert LazyModule("decimal").Decimal is decimal.Decimal


def test_nothing_is_imported_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it is made nor when it is handed about."""
    monkeypatch.delitem(sys.modules, "this", raising=False)
    this = LazyModule("this")
    assert this is not None
    assert "this" not in sys.modules


def test_a_missing_module_is_an_import_error_at_the_first_use() -> None:
    """Who never uses it never notices."""
    missing = LazyModule("no_such_module")
    with pytest.raises(ImportError, match="no_such_module"):
        _ = missing.anything


def test_what_the_module_lacks_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = LazyModule("decimal").nothing


def test_a_module_stays_bound_whatever_a_test_does_to_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by name, or taken away with all others: what was used once is there."""
    this = LazyModule("decimal")
    assert this.Decimal is decimal.Decimal
    monkeypatch.setitem(sys.modules, "decimal", None)
    assert this.Decimal is decimal.Decimal


def test_a_stand_in_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has put in the place of a module goes with that test."""
    this = LazyModule("decimal")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "decimal", types.SimpleNamespace(Decimal=None))
        assert this.Decimal is None
    assert vars(decimal)["Decimal"] is this.Decimal


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module that nothing has imported yet, with a class `Thing`."""
    name = f"first_used_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text("class Thing: ...", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_what_came_with_a_first_use_is_put_back(module: str) -> None:
    """The module itself and what it has imported: a second copy's classes would be others."""
    first = LazyModule(module).Thing
    sys.modules.pop(module)
    put_back()
    assert sys.modules[module].Thing is first


def test_what_is_there_is_not_replaced(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's own stand-in keeps its place."""
    assert LazyModule(module).Thing
    stand_in = types.ModuleType(module)
    monkeypatch.setitem(sys.modules, module, stand_in)
    put_back()
    assert sys.modules[module] is stand_in
