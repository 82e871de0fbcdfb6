"""What reaches stderr around the start and the stop of a profile."""

import os

import pytest

from pytest_energy.tracing.quiet_stderr import without_kineto_lines

KINETO = b"USDT:2026-11-26 23:29:14 8870:8870 SyncActivityProfilerHandler.cpp:39] profiler_start\n"
ERROR = (
    b"ERROR:2026-11-26 23:29:14 8870:8870 DeviceProperties.cpp:56] gpuGetDeviceCount failed with code 35\n"
)


def test_lines_of_the_profiler(capfd: pytest.CaptureFixture[str]) -> None:
    """Its lines are dropped; those of others pass, in their order."""
    with without_kineto_lines():
        os.write(2, b"ERROR: mine\n" + KINETO + ERROR + b"and this\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ERROR: mine\nand this\nafter\n"


def test_error_inside(capfd: pytest.CaptureFixture[str]) -> None:
    """stderr is there again when what runs inside raises."""
    with pytest.raises(ValueError, match="mine"), without_kineto_lines():
        _write_and_raise()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


def _write_and_raise() -> None:
    os.write(2, b"before\n")
    raise ValueError("mine")


def test_no_stderr() -> None:
    """A process without stderr is left as it is."""
    kept = os.dup(2)
    os.close(2)
    try:
        with without_kineto_lines():
            inside = True
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert inside
