"""Which tests may wait: their reports are held back until all tests have run, and they may run once more.

Rule 1: who stops at the first failure, or looks at each (`-x`, `--maxfail`, `--stepwise`, `--pdb`), is told
at once; so is a test that is expected to fail.
Rule 2: a test that another plugin runs is that plugin's: nothing of it is held back.
Rule 3: a benchmark doesn't run once more: its own plugin would count it twice.
"""

import pytest
from pluggy import HookImpl

from pytest_energy.plugin.run import run_of
from pytest_energy.plugin.stash import IS_BENCHMARK, WAITS

_AT_ONCE = ("maxfail", "stepwise", "usepdb", "trace")  # options by which a failure is acted on when it comes
_RERUNS = "pytest_rerunfailures"


def may_wait(item: pytest.Item) -> bool:
    """Whether the verdict of *item* may wait for the end of the run."""
    config = item.config
    if any(config.getoption(name, default=False) for name in _AT_ONCE) or is_expected_to_fail(item):
        return False
    run = run_of(config)
    return run.scheduler is None and run.leading is None and not has_other_runner(item)


def may_run_again(item: pytest.Item) -> bool:
    """Whether *item* may run once more at the end of the run."""
    return item.stash.get(WAITS, False) and not item.stash.get(IS_BENCHMARK, False)


def is_expected_to_fail(item: pytest.Item) -> bool:
    return item.get_closest_marker("xfail") is not None


def has_other_runner(item: pytest.Item) -> bool:
    """Whether a plugin other than pytest's own runs *item*, or would repeat it where it fails."""
    runners = item.ihook.pytest_runtest_protocol.get_hookimpls()
    return any(_is_other(impl, item) for impl in runners if not (impl.wrapper or impl.hookwrapper))


def _is_other(impl: HookImpl, item: pytest.Item) -> bool:
    package = impl.function.__module__.partition(".")[0]
    if package == _RERUNS:  # it is often there and asked for nothing
        count_of = getattr(impl.plugin, "get_reruns_count", None)
        return count_of is None or count_of(item) is not None
    return package not in {"_pytest", "pytest_energy"}
