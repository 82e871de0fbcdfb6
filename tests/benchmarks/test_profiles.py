"""Which profile of the benchmarks is run."""

import sys

import pytest

from benchmarks.profiles import GPU, QUICK, fitting
from tests.fakes.torch_cuda import FakeTorch


def test_the_hardware_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CUDA device that torch sees is worked on; without one, or without torch, the processor is."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(is_there=True))
    assert fitting() is GPU
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(is_there=False))
    assert fitting() is QUICK
    monkeypatch.setitem(sys.modules, "torch", None)  # no such module
    assert fitting() is QUICK


@pytest.mark.parametrize(
    ("option", "is_there", "line"),
    [
        ((), True, "benchmarks: profile gpu, on cuda (--bench-profile)"),
        ((), False, "benchmarks: profile quick, on cpu (--bench-profile)"),
        (("--bench-profile=quick",), True, "benchmarks: profile quick, on cpu (--bench-profile)"),
        (("--bench-profile=paper",), True, "benchmarks: profile paper, on cuda (--bench-profile)"),
    ],
)
def test_an_option_wins_over_the_hardware(
    option: tuple[str, ...],
    is_there: bool,  # noqa: FBT001  # a column of the table above
    line: str,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without an option the machine decides, and the header says what it is."""
    monkeypatch.setitem(sys.modules, "torch", FakeTorch(is_there=is_there))
    pytester.makepyfile("def test_nothing(): pass")
    run = pytester.runpytest_inprocess("-p", "benchmarks.conftest", *option)
    run.stdout.fnmatch_lines([line])
    run.assert_outcomes(passed=1)
