"""Laws without a limit on time, and runs of pytest within tests."""

import gc
import pkgutil
from collections.abc import Generator, Iterator
from importlib import import_module

import pytest
from hypothesis import settings

from pytest_energy import masking, plugin
from pytest_energy.serving.event_loop import frozen_heap

# A busy machine is not a broken law.
settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Next to nothing that collection makes is garbage, and looking for it takes a seventh of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(autouse=True)
def _no_kept_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret is kept as long as its process, which here is that of all tests."""
    monkeypatch.setattr(masking, "_given", {})


LIGHT = "-p no:hypothesispytest -p no:anyio"
"""Runs within tests go without plugins that load their libraries: a third of a short run."""


@pytest.fixture(autouse=True)
def _light_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", LIGHT)


@pytest.fixture(scope="session")
def _loaded() -> None:
    """A run in this process forgets what it loaded: numpy loads only once, and our own modules take time."""
    import_module("scipy.special")
    for module in pkgutil.iter_modules(plugin.__path__, f"{plugin.__name__}."):
        import_module(module.name)


@pytest.fixture
def _spared_heap(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A run of pytest collects garbage five times at its end: that of its own, not of torch and all tests."""
    with frozen_heap():
        monkeypatch.setattr(gc, "get_freeze_count", lambda: 1)  # it would count them one by one
        yield


@pytest.fixture
def pytester(
    _loaded: None, _spared_heap: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """Pytest's own has dropped the options of the environment."""
    monkeypatch.setenv("PYTEST_ADDOPTS", LIGHT)
    return pytester
