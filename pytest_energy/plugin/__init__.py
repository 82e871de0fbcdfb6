"""pytest hooks; each calls one function elsewhere.

Rule 1: an ordinary run imports only what stands here; what measures and judges is imported when the first
energy test comes.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

import pytest_energy.machine_time  # noqa: F401  # its clocks are taken before any test can replace them
from pytest_energy.lazy_module import put_back
from pytest_energy.masking import secrets_of_run
from pytest_energy.plugin import frames, hookspecs, lifecycle, mark, options

if TYPE_CHECKING:
    from pytest_energy.plugin.fixture import Energy


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    put_back()  # pytester has taken away what an earlier run in this process has imported
    options.check_arguments(pluginmanager)
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)  # a conftest.py may make an engine
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> None:
    early_config.add_cleanup(secrets_of_run())
    options.suggest(parser, args)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", mark.marker_line())
    lifecycle.configure(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    lifecycle.unconfigure(config)


@pytest.hookimpl(trylast=True)  # after other plugins have deselected
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lifecycle.check_items(config, items)


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    return lifecycle.run_item(item, nextitem)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    lifecycle.prepare(item)


@pytest.fixture
def energy(request: pytest.FixtureRequest) -> "Energy":
    """Measure the energy of this test: `measure`, `window`, `model`, `record`, `requests`."""
    return lifecycle.energy_of(request.node)


@pytest.hookimpl(wrapper=True, trylast=True)  # innermost: other plugins' work around a call isn't the test's
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    return (yield from lifecycle.measured_call(item))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    return (yield from lifecycle.measured_teardown(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    frames.hide_own_frames(item, call)
    return lifecycle.with_energy(item, (yield))
