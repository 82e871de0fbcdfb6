"""What the gate said of one bug, and whether that was right.

Rule 1: red is a failure: the command's exit status is 1, and the verdict is a regression.
Rule 2: named is a bug whose guilty operator, call or setting stands in the first two lines of the difference.
Rule 3: what wasn't measured or counted is absent here too, with what the command printed last.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

LINE_COUNT = 2

_EXPLAINING = ("gpu", "driver", "cuda", "cpu_model", "torch", "python", "pytest_energy", "git")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One row of the exam.

    Attributes:
        number: Of the bug.
        name: Of the bug.
        report: Where people told of it.
        device: What it ran on: `cpu` or `cuda`.
        method: `ab`, or `counts` against a stored baseline.
        exit_status: Of the command that judged.
        verdict: Of the test with its bug; `None` where there is none.
        energies_j: Joules of a call, mended and with the bug; `None` where nothing measured.
        durations_s: Seconds of a call, likewise.
        ratio: Joules with the bug over those mended.
        ratio_ci: Bounds of the ratio.
        weight_ratio: Weighted work of the code, likewise; `None` without counts.
        rises: Judged measures that rose: name to the old value and the new one.
        lines: The difference in words.
        names: Of the guilty names, those that the first two lines hold.
        seconds: That both sides took, set-up and starts included.
        machine: Card, driver, libraries and commit; empty where no run was written.
        output: What the command printed last, where it gave no answer.
    """

    number: int
    name: str
    report: str
    device: str
    method: str
    exit_status: int
    verdict: str | None = None
    energies_j: tuple[float, float] | None = None
    durations_s: tuple[float, float] | None = None
    ratio: float | None = None
    ratio_ci: tuple[float, float] | None = None
    weight_ratio: float | None = None
    rises: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    seconds: float = 0.0
    machine: Mapping[str, str] = field(default_factory=dict)
    output: tuple[str, ...] = ()

    @property
    def is_red(self) -> bool:
        return self.exit_status == 1 and self.verdict == "regression"

    @property
    def is_named(self) -> bool:
        return bool(self.names)


def machine_of(run: Mapping[str, object]) -> dict[str, str]:
    """What a *run*'s document says of its machine, as far as it explains figures."""
    machine = _mapping(run.get("machine"))
    facts = {**_mapping(machine.get("fixed")), **_mapping(machine.get("shown"))}
    return {name: str(value) for name, value in facts.items() if name.startswith(_EXPLAINING)}


def answered(answer: Answer, guilty: Sequence[str], test: Mapping[str, object]) -> Answer:
    """*answer* with what the entry of its *test* in a run's document says; any of *guilty* names the bug."""
    compared = _mapping(test.get("baseline"))
    counts = _mapping(test.get("counts_comparison"))
    lines = tuple(str(line) for line in _sequence(counts.get("lines")))
    energy_j, duration_s = test.get("energy_j"), test.get("duration_s")
    return replace(
        answer,
        verdict=str(test["verdict"]),
        energies_j=_numbers(compared.get("energy_j"), energy_j),
        durations_s=_numbers(_quotient(duration_s, compared.get("duration_ratio")), duration_s),
        ratio=_number(compared.get("ratio")),
        ratio_ci=_numbers(*(_sequence(compared.get("ratio_ci")) or (None, None))),
        weight_ratio=_number(counts.get("weight_ratio")),
        rises={name: _both(values) for name, values in _mapping(counts.get("rises")).items()},
        lines=lines,
        names=names_in(lines, guilty),
        output=() if compared or counts else answer.output,
    )


def names_in(lines: Sequence[str], guilty: Sequence[str]) -> tuple[str, ...]:
    """Those of *guilty* that the first two of *lines* hold as whole words, in whatever case."""
    text = " ".join(lines[:LINE_COUNT])
    return tuple(
        name for name in guilty if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE)
    )


def save(answers: Sequence[Answer], path: Path) -> None:
    """Write all answers so far."""
    rows = [asdict(answer) | {"is_red": answer.is_red, "is_named": answer.is_named} for answer in answers]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"answers": rows}, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> list[Answer]:
    """What `save` has written, now or before it had all of the fields."""
    rows = json.loads(path.read_text(encoding="utf-8"))["answers"]
    names = Answer.__dataclass_fields__
    return [Answer(**{name: value for name, value in row.items() if name in names}) for row in rows]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _numbers(one: object, other: object) -> tuple[float, float] | None:
    first, second = _number(one), _number(other)
    return None if first is None or second is None else (first, second)


def _both(values: object) -> tuple[float, float]:
    known = _numbers(*_sequence(values))
    assert known is not None
    return known


def _quotient(one: object, other: object) -> float | None:
    known = _numbers(one, other)
    return None if known is None else known[0] / known[1]
