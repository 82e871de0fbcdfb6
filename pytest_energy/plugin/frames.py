"""Tracebacks without this package's frames: between a test and what it has measured they explain nothing.

Rule 1: those of an error that is our own doing, and of no mistake in the test, stay.
Rule 2: `--full-trace` shows every frame, as pytest has it.
"""

from collections.abc import Iterator
from types import FrameType, TracebackType

import pytest

from pytest_energy.errors import EnergyError, EnergyWarning

_PACKAGE = __name__.partition(".")[0]

ExceptionInfo = pytest.ExceptionInfo[BaseException]


def hide_own_frames(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Have what *item* has raised in *call*, and what led to it, without the frames of this package."""
    if item.config.getoption("fulltrace", default=False):
        return
    if call.excinfo is not None:
        call.excinfo = _without_own(call.excinfo)
    kept = getattr(item, "_excinfo", None) or []  # where a `TestCase` keeps what its tests have raised
    kept[:] = map(_without_own, kept)


def _without_own(raised: ExceptionInfo) -> ExceptionInfo:
    error = raised.value
    for one in (error, *_causes(error)):
        if isinstance(error, EnergyError | EnergyWarning) or not _is_ours(_innermost(one)):
            one.__traceback__ = _joined([*_others(one)])
    return raised if error.__traceback__ is None else pytest.ExceptionInfo.from_exception(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What led to *error*, each once."""
    seen = {id(error)}
    while (cause := error.__cause__ or error.__context__) is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        error = cause


def _entries(error: BaseException) -> Iterator[TracebackType]:
    entry = error.__traceback__
    while entry is not None:
        yield entry
        entry = entry.tb_next


def _innermost(error: BaseException) -> FrameType | None:
    return next((entry.tb_frame for entry in reversed([*_entries(error)])), None)


def _others(error: BaseException) -> Iterator[TracebackType]:
    return (entry for entry in _entries(error) if not _is_ours(entry.tb_frame))


def _is_ours(frame: FrameType | None) -> bool:
    """Whether the code in *frame* is this package's, or made for it, such as a dataclass's `__init__`."""
    return frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE


def _joined(entries: list[TracebackType]) -> TracebackType | None:
    """The traceback that has *entries* one after the other."""
    joined: TracebackType | None = None
    for entry in reversed(entries):
        joined = TracebackType(joined, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return joined
