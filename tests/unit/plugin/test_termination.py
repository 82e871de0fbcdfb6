"""SIGTERM in a run with energy tests."""

import signal
from collections.abc import Callable, Iterator

import pytest

from pytest_energy.plugin.termination import write_before_sigterm


class Config:
    """The part of pytest's that is asked."""

    def __init__(self) -> None:
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, action: Callable[[], None]) -> None:
        self.cleanups.append(action)


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_first_interrupts_and_the_second_ends() -> None:
    """Ctrl-C's exception names the signal; from then on the system's own handling is back."""
    config = Config()
    write_before_sigterm(config)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_run_that_is_over_leaves_nothing() -> None:
    """The handler goes with the run, unless another one came in its place."""
    config = Config()
    write_before_sigterm(config)  # type: ignore[arg-type]
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config.cleanups[0]()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_handler_of_the_suite_stays() -> None:
    """What somebody else handles is theirs."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    config = Config()
    write_before_sigterm(config)  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert config.cleanups == []
