"""The plugin of one side without its command, and how it ends and tells its sources."""

import io
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pytest_energy.ab import worker
from pytest_energy.ab.protocol import PIPES, EndOrder, FinishOrder, Link, RoundOrder, to_line
from pytest_energy.codec import Document


def link(*orders: Document) -> Link:
    """A worker's end on which the command says *orders*, and has ended after the last."""
    return Link(io.StringIO("".join(map(to_line, orders))), io.StringIO())


@pytest.mark.parametrize("orders", [(), (EndOrder(),)], ids=["gone", "told to end"])
def test_a_test_in_its_rounds_ends_with_the_command(orders: tuple[Document, ...]) -> None:
    """Without a command, or at its word, the whole run ends and not the test alone."""
    with pytest.raises(pytest.exit.Exception, match="pytest-energy ab has ended"):
        worker._heard(link(*orders))


@pytest.mark.parametrize("order", [RoundOrder(call_count=3), FinishOrder()])
def test_other_orders_are_for_the_test(order: Document) -> None:
    """A round and the end of the test's rounds are no end of the run."""
    assert worker._heard(link(order)) == order


def test_the_plugin_by_itself_is_refused(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that no command has started is an error in words, not a test that waits."""
    monkeypatch.delenv(PIPES, raising=False)
    result = pytester.runpytest("-p", "pytest_energy.ab.worker")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*`pytest-energy ab` sets it*"])


def test_modules_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each top-level module with its file; a package without one with its folder; only what is new."""
    plain, bare = ModuleType("ab_plain"), ModuleType("ab_bare")
    plain.__file__, bare.__path__ = str(tmp_path / "ab_plain.py"), [str(tmp_path / "ab_bare")]
    side = worker.Worker(link())
    assert "pytest" in side._new_sources()
    for module in (plain, bare):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    assert side._new_sources() == {
        "ab_plain": str(tmp_path / "ab_plain.py"),
        "ab_bare": str(tmp_path / "ab_bare"),
    }
    assert side._new_sources() == {}
