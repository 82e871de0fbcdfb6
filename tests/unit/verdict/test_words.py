from typing import cast

import pytest

from pytest_energy.verdict.findings import Decision, Finding, Void
from pytest_energy.verdict.words import reason
from tests.builders import record


def test_a_finding_without_words_is_an_error() -> None:
    """A new kind of finding can't be passed over in silence."""
    unknown = cast("Finding", object())
    with pytest.raises(NotImplementedError, match="object has no words"):
        reason(Decision(record=record(), findings=(unknown,)))


def test_what_others_wrote_starts_no_line_of_its_own() -> None:
    """The first line stands by itself, whatever is in a reason."""
    lines = reason(Decision(record=record(), findings=(Void(because="one\n  two\n"),))).splitlines()
    assert lines[0] == "no usable joules: one two"
    assert all(line.startswith("  ") for line in lines[1:])
