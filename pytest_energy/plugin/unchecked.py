"""Warnings, as pytest gives them, on tests that passed although nothing was compared with their limits."""

from collections.abc import Sequence
from warnings import WarningMessage

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.notes import kind_of, of_one_kind
from pytest_energy.report.reasons import headline

Pair = tuple[pytest.TestReport, Judgement]


def warn_unchecked(config: pytest.Config, pairs: Sequence[Pair]) -> None:
    """Warn of each of *pairs* that passed unchecked; pytest shows reasons of one kind once."""
    kinds: dict[tuple[object, ...], list[Pair]] = {}
    for report, judgement in pairs:
        if judgement.is_unchecked and not report.energy["is_failing"]:
            key = (judgement.verdict, judgement.unchecked, kind_of(headline(judgement)))
            kinds.setdefault(key, []).append((report, judgement))
    for alike in kinds.values():
        message = _message(config, alike)
        for report, _ in alike:
            # By the hook, as no filter that a suite sets for its own warnings is meant to fail the run here.
            config.hook.pytest_warning_recorded.call_historic(
                kwargs={
                    "warning_message": message,
                    "when": "runtest",
                    "nodeid": report.nodeid,
                    "location": None,
                }
            )


def _message(config: pytest.Config, alike: Sequence[Pair]) -> WarningMessage:
    """The warning of tests that differ in quantities alone, at the place of the first."""
    report, judgement = alike[0]
    limits = " and its ".join(judgement.unchecked)
    because = of_one_kind(headline(one) for _, one in alike)
    warning = pytest.PytestWarning(
        f"energy not checked against its {limits} ({judgement.verdict}): {because}"
    )
    file, line, _ = report.location
    return WarningMessage(warning, type(warning), str(config.rootpath / file), (line or 0) + 1)
