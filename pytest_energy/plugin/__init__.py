"""pytest hooks; each calls one function elsewhere."""

from collections.abc import Generator

import pytest

from pytest_energy.plugin import calls, hookspecs, mark, settings
from pytest_energy.plugin.fixture import energy

__all__ = ["energy"]


def pytest_addoption(parser: pytest.Parser) -> None:
    settings.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", mark.marker_line())
    calls.configure(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    calls.unconfigure(config)


@pytest.hookimpl(trylast=True)  # after other plugins have deselected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    calls.check_items(config, items)


@pytest.hookimpl(wrapper=True, trylast=True)  # innermost: other plugins' work around a call isn't the test's
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    return (yield from calls.measured_call(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return calls.with_energy(item, (yield))
