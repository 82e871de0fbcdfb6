"""Two settings of one model under one load, in turns: joules, latencies and answers side by side.

Rule 1: the two take turns, a load each, in the order of `stats.paired`: what drifts with time cancels. Both
are in memory all the while, so that what an idle engine draws is in the joules of both.
Rule 2: the record is that of the second setting; the first is its reference, measured in windows of its own.
Rule 3: a ratio is given at equal work and within the same limits of latency, else its reason for being
missing: fewer joules at longer latencies are no saving.
Rule 4: a round whose reference is void is void.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Generic, Protocol, TypeVar

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, NotMeasurable, SettingsError
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Provenance, Reading
from pytest_energy.serving.agreement import Agreement, Answer, agreement, answers_of
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.pair_metrics import agreement_metrics
from pytest_energy.serving.rounds import LoadWork
from pytest_energy.stats.bounded_mean import Interval
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.paired import PairBlock, compare_pairs, is_turned
from pytest_energy.work import Trace, Work, WorkDescription

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

MOST_NAME = 40  # characters: a word or two; it stands in tables
_ALPHA = 0.025  # of each bound: together 95 %

Quality = Callable[[Sequence[Answer]], float]
"""A score of the answers to the prompts of the first round, in their order; more is better."""


class Side(Work[R_co], Protocol[R_co]):
    """Work that can be one of two, which take turns."""

    @property
    def model(self) -> str:
        """The model that serves; empty if it has no name."""
        ...

    @property
    def as_setting(self) -> Mapping[str, str]:
        """What may differ from the other side, name to value."""
        ...

    def as_reference(self, round_count: int) -> Metrics:
        """Metrics of the newest rounds, for the record of the side that is compared with this one."""
        ...

    def why_no_ratio(self, round_count: int) -> str | None:
        """Why joules of the newest rounds are at other terms than the other side's, or `None`."""
        ...


class TakeRound(Protocol):
    """Takes one round in a window of its own."""

    def __call__(self, work: Work[object], name: str, call_index: int, /) -> Reading | None:
        """The reading of one load of *work*, which is run in any case; `None` where nothing measures."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One of the two.

    Attributes:
        name: As the test calls it.
        load: Result of its last round.
        energy_j: Joules per request, mean of its rounds; `None` if they were not measured.
        answers: Its greedy answers to the prompts of the first round.
        quality: Score of these, if the test gives `quality=`.
    """

    name: str
    load: LoadResult
    energy_j: float | None
    answers: tuple[Answer, ...]
    quality: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairResult:
    """Two settings side by side; intervals at 95 % confidence.

    Attributes:
        reference: The first setting.
        candidate: The second, which is compared with it.
        provenance: Of the joules of both; `None` without joules.
        ratio: Joules per request, candidate over reference; `None` with its reason in *absent*.
        agreement: How far their answers are the same.
        ceiling: How far the reference agrees with itself in a second run.
        absent: Name of a missing value to the reason.
    """

    reference: Setting
    candidate: Setting
    provenance: Provenance | None
    ratio: Interval | None
    agreement: Agreement | None
    ceiling: Agreement | None
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PairWork(Generic[R]):
    """The loads of both sides, a pair in each round: the work of one test.

    Attributes:
        reference: Loads of the first setting.
        candidate: Loads of the second.
        names: Of the two.
        take_round: Takes the reference's round.
    """

    reference: Side[R]
    candidate: Side[R]
    names: tuple[str, str]
    take_round: TakeRound
    call_count: int = 1
    may_repeat: bool = False
    _pairs: list[Reading | None] = field(default_factory=list)  # the reference's, where neither is void
    _index: int = 0
    _other: Reading | None = None

    def prepare(self) -> None:
        """Make the prompts of the candidate's load; take the reference's round if it is first."""
        self.candidate.prepare()
        if not is_turned(self._index):
            self._take_reference()

    def run(self, call_index: int, window: OpenWindow | None, /) -> R:
        return self.candidate.run(call_index, window)

    def conclude(self, reading: Reading) -> Reading:
        """Take the reference's round if it is last; *reading* is void if that one is."""
        if is_turned(self._index):
            self._take_reference()
        self._index += 1
        reading, other = self.candidate.conclude(reading), self._other
        if other is not None and other.void_because is not None and reading.void_because is None:
            because = f"{self.names[0]}: {other.void_because}"
            return replace(reading, channels={}, void_because=because, phases=())
        if reading.void_because is None:
            self._pairs.append(other)
        return reading

    def _take_reference(self) -> None:
        self._other = self.take_round(self.reference, self.names[0], self._index)

    def references(self, round_count: int) -> tuple[Reading, ...]:
        """The reference's readings in the newest *round_count* rounds that count."""
        return tuple(filter(None, self._pairs[-round_count:])) if round_count else ()

    def description(self, round_count: int, /) -> WorkDescription:
        described = self.candidate.description(round_count)
        names = {
            "setting": self.names[1],
            "reference": self.names[0],
            "reference_model": self.reference.model,
        }
        names["differs"] = _differences(self.reference.as_setting, self.candidate.as_setting)
        beside = self.reference.as_reference(round_count)
        return replace(
            described,
            workload={**described.workload, **{name: text for name, text in names.items() if text}},
            metrics=lambda record: described.metrics(record) | beside,
        )

    def counts(self, trace: Trace, /) -> Counts | Absent:
        return self.candidate.counts(trace)

    def why_no_ratio(self, round_count: int) -> str | None:
        """Why joules of these rounds are at unequal terms, or `None`."""
        for name, side in zip(self.names, (self.reference, self.candidate), strict=True):
            because = side.why_no_ratio(round_count)
            if because is not None:
                return f"{name} {because}"
        return None


def _differences(reference: Mapping[str, str], candidate: Mapping[str, str]) -> str:
    """What differs between the settings, such as `quantisation: none, fp8`."""
    names = [name for name in {**reference, **candidate} if reference.get(name) != candidate.get(name)]
    return "; ".join(f"{name}: {reference.get(name, '-')}, {candidate.get(name, '-')}" for name in names)


def names_of(engines: object) -> tuple[str, str]:
    """The names of the two settings.

    Raises:
        SettingsError: There are not two, or a name is empty or too long for a table.
    """
    names: tuple[object, ...] = tuple(engines) if isinstance(engines, Mapping) else ()
    if len(names) != 2 or not all(
        isinstance(name, str) and 0 < len(name.strip()) <= MOST_NAME for name in names
    ):
        raise SettingsError(
            "energy.compare takes two engines or policies by name, the reference first: "
            '{"bf16": one, "fp8": other}. '
            f"A name has 1 to {MOST_NAME} characters."
        )
    return str(names[0]), str(names[1])


def ratio_of(
    work: PairWork[R], rounds: Sequence[Reading] | Absent, references: Sequence[Reading]
) -> Interval:
    """Joules per request of the candidate's *rounds* over those of *references*, with its 95 % interval.

    Raises:
        NotMeasurable: It has no meaning here; the reason is in the error.
    """
    if isinstance(rounds, Absent):
        raise NotMeasurable(rounds.because)
    void_because = next((one.void_because for one in rounds if one.void_because is not None), None)
    because = void_because or work.why_no_ratio(len(rounds))
    if because is not None:
        raise NotMeasurable(because)
    if not references:
        raise NotMeasurable(f"{work.names[0]} was not measured")
    pair = PairBlock(before=_energies(references), after=_energies(rounds))
    bounds = compare_pairs([pair], tolerance=0.0, alpha=_ALPHA)
    return Interval(value=bounds.ratio, lower=bounds.lower, upper=bounds.upper)


def _energies(rounds: Sequence[Reading]) -> RoundEnergies:
    usable = [(energy_j, one.uncertainty_j) for one in rounds if (energy_j := one.energy_j) is not None]
    return RoundEnergies(
        energies_j=tuple(energy_j for energy_j, _ in usable),
        uncertainties_j=tuple(uncertainty_j for _, uncertainty_j in usable),
    )


def pair_result(
    work: PairWork[LoadResult],
    sides: tuple[LoadWork, LoadWork],
    rounds: Sequence[Reading] | Absent,
    references: Sequence[Reading],
    *,
    quality: Quality | None = None,
) -> PairResult:
    """Everything that is known of both settings; asks them for their answers, outside every window.

    Args:
        work: Its rounds are over.
        sides: Its two, the reference first.
        rounds: Of the candidate, or why there are none.
        references: Of the reference, in the same order.
        quality: Scores the answers of a setting.

    Raises:
        EngineError: An engine failed.
    """
    absent: dict[str, str] = {}
    try:
        ratio = ratio_of(work, rounds, references)
    except NotMeasurable as error:
        ratio, absent["pair_energy_ratio"] = None, str(error)
    batch = sides[0].plan.requests(0)
    first, second = (answers_of(side.plan.engine, *batch) for side in sides)
    again = answers_of(sides[0].plan.engine, *batch, is_reversed=True)
    agreed, ceiling = agreement(first, second), agreement(first, again)
    if isinstance(agreed, Absent) or isinstance(ceiling, Absent):
        absent["answer_agreement"] = next(one.because for one in (agreed, ceiling) if isinstance(one, Absent))
    settings = [
        Setting(
            name=name,
            load=side.loads[-1],
            energy_j=_per_request_j(readings, len(batch[0])),
            answers=answers,
            quality=None if quality is None else float(quality(answers)),
        )
        for name, side, readings, answers in (
            (work.names[0], sides[0], references, first),
            (work.names[1], sides[1], () if isinstance(rounds, Absent) else rounds, second),
        )
    ]
    return PairResult(
        reference=settings[0],
        candidate=settings[1],
        provenance=None if isinstance(rounds, Absent) else rounds[0].provenance,
        ratio=ratio,
        agreement=None if isinstance(agreed, Absent) else agreed,
        ceiling=None if isinstance(ceiling, Absent) else ceiling,
        absent=absent,
    )


def _per_request_j(readings: Sequence[Reading], count: int) -> float | None:
    energies_j = [reading.energy_j for reading in readings if reading.energy_j is not None]
    return fmean(energies_j) / count if energies_j else None


def metrics_of(result: PairResult) -> Metrics:
    """*result* as metrics of the record."""
    figures: dict[str, float | None] = {"reference_energy_per_sample": result.reference.energy_j}
    for end in ("value", "lower", "upper"):
        name = "pair_energy_ratio" if end == "value" else f"pair_energy_ratio_{end}"
        figures[name] = None if result.ratio is None else getattr(result.ratio, end)
    figures |= agreement_metrics(result.agreement) | agreement_metrics(result.ceiling, of="self_")
    if result.candidate.quality is not None:
        figures |= {"quality": result.candidate.quality, "reference_quality": result.reference.quality}
    absent = {
        "pair_energy_ratio": result.absent.get("pair_energy_ratio", ""),
        "reference_energy": "the reference was not measured",
        "": result.absent.get("answer_agreement", ""),
    }
    return Metrics(
        figures,
        {
            name: next(because for start, because in absent.items() if name.startswith(start))
            for name, figure in figures.items()
            if figure is None
        },
    )
