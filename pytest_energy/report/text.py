"""The texts of a figure: heading, axes, numbers. Pure."""

import textwrap
from collections.abc import Iterable, Sequence

from pytest_energy.judgement import Judgement
from pytest_energy.model import Machine, Provenance
from pytest_energy.report.cells import printable
from pytest_energy.units import to_text, with_uncertainty_text

INTERVAL_NOTE = "Bars: 95 % interval of the mean of the rounds"

COMMIT_LENGTH = 7  # as git shortens it
DAY_LENGTH = len("2026-11-20")
_NAME_LENGTH = 100  # characters of a heading
_SENTENCE_LENGTH = 400  # characters of what others wrote into a note
_NOTED = 5  # names that a note lists

ORIGINS = {
    Provenance.MEASURED: "",
    Provenance.ESTIMATED: "estimated ",
    Provenance.REPLAYED: "replayed ",
    Provenance.PREDICTED: "predicted ",
}
"""Before what is not measured, so that no title and no axis shows it as that."""


def heading(judgements: Sequence[Judgement]) -> str:
    """Where, when, at which commit and of how many rounds the figure of *judgements* is."""
    machine = judgements[0].record.machine
    return "   ".join(
        printable(part)
        for part in (
            _hardware(machine),
            range_text({judgement.record.created[:DAY_LENGTH] for judgement in judgements}),
            commit_text(machine),
            _rounds(judgements),
        )
    )


def _hardware(machine: Machine) -> str:
    name = machine.fixed.get("gpu_model") or machine.fixed.get("cpu_model") or machine.key
    count = machine.fixed.get("gpu_count", "1")
    is_several = "gpu_model" in machine.fixed and count not in {"0", "1"}
    return f"{count} x {name}" if is_several else name


def range_text(values: Iterable[int] | Iterable[str]) -> str:
    """The only one of *values*, or the first to the last."""
    ordered = sorted(values)
    return " to ".join(dict.fromkeys(map(str, (ordered[0], ordered[-1]))))


def commit_of(machine: Machine) -> str:
    """The code's commit, or empty."""
    return machine.varying.get("git_commit") or machine.varying.get("commit") or ""


def commit_text(machine: Machine) -> str:
    """Such as `commit 0123abc with changes`."""
    commit = commit_of(machine)
    if not commit:
        return "commit not recorded"
    return f"commit {commit[:COMMIT_LENGTH]}" + (
        " with changes" if machine.varying.get("git_dirty") == "yes" else ""
    )


def _rounds(judgements: Sequence[Judgement]) -> str:
    counts = {len(judgement.record.round_energies_j) for judgement in judgements} - {0}
    if not counts:
        return "no usable round"
    return f"{range_text(counts)} {'round' if counts == {1} else 'rounds'} per test"


def joules_label(provenance: Provenance, of_what: str, *, is_net: bool = False) -> str:
    """Such as `energy per sample`, or `estimated energy per sample`: an estimate is never called less."""
    return f"{ORIGINS[provenance]}{'net ' if is_net else ''}energy per {of_what}"


def short(text: str) -> str:
    """A name that anybody may have given, on one line and not too long."""
    line = printable(text)
    return line if len(line) <= _NAME_LENGTH else f"{line[: _NAME_LENGTH - 3]}..."


def sentence(text: str) -> str:
    """What others wrote, as a part of a note: whole, or up to a word's end."""
    return textwrap.shorten(printable(text), _SENTENCE_LENGTH, placeholder=" ...").rstrip(".")


def listed(names: Sequence[str]) -> str:
    """The first of *names*, and how many more there are."""
    more = f" and {len(names) - _NOTED} more" if len(names) > _NOTED else ""
    return ", ".join(map(short, names[:_NOTED])) + more


def tick(value: float, unit: str = "", *, digits: int = 3) -> str:
    """A number on an axis, with as few digits as it takes; joules with their prefix.

    >>> tick(0.005, "J"), tick(2e6), tick(64.0), tick(2000.0), tick(0.0002)
    ('5 mJ', '2 M', '64', '2000', '2e-4')
    """
    if unit == "J":
        return to_text(value, "J", digits=digits)
    if abs(value) >= 1e4:
        return to_text(value, "", digits=digits).strip()
    if 0 < abs(value) < 1e-3:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        return f"{float(mantissa):g}e{int(power)}"
    return f"{value:.{max(digits, 4) if abs(value) >= 1e3 else digits}g}"


def with_error(value: float, uncertainty: float, unit: str) -> str:
    """Value and standard error, such as `192.1 \N{PLUS-MINUS SIGN} 3.2 W`."""
    return with_uncertainty_text(value, uncertainty, unit).replace("+-", "\N{PLUS-MINUS SIGN}")
