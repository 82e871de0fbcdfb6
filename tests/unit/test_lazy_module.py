"""A module that is imported at its first use."""

import decimal
import sys

import pytest

from pytest_energy.lazy_module import LazyModule


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
