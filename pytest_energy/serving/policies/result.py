"""Two policies side by side: joules, latencies, accuracy, and what follows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Provenance, Reading
from pytest_energy.serving.load_result import Percentiles
from pytest_energy.serving.pairs import PairWork, ratio_of
from pytest_energy.serving.policies.serve import PolicyRun
from pytest_energy.serving.policies.work import PolicyWork
from pytest_energy.stats.bounded_mean import Interval

PolicyVerdict = Literal["cheaper", "dearer", "no clear difference", "not compared"]

_ENDS = {"": "value", "_lower": "lower", "_upper": "upper"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySide:
    """One of the two.

    Attributes:
        name: As the test calls it.
        energy_j: Joules of a whole load, its idle time included, mean of its rounds; `None` if not measured.
        energy_per_request_j: The same for each request.
        latency: From arrival to answer, over all rounds.
        slo_share: Share of answers within the limit of latency; `None` without one.
        accuracy: Share of right answers, with its 95 % interval over the items; `None` without labels.
        mean_batch_size: Requests in a batch.
    """

    name: str
    energy_j: float | None
    energy_per_request_j: float | None
    latency: Percentiles
    slo_share: float | None
    accuracy: Interval | None
    mean_batch_size: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyResult:
    """A policy beside its reference; intervals at 95 % confidence.

    Attributes:
        reference: The first policy.
        candidate: The second, which is compared with it.
        provenance: Of the joules of both; `None` without joules.
        ratio: Joules of the load, candidate over reference; `None` with its reason in *absent*.
        accuracy_change: Accuracy less the reference's, item by item; `None` without labels.
        absent: Name of a missing value to the reason.
    """

    reference: PolicySide
    candidate: PolicySide
    provenance: Provenance | None
    ratio: Interval | None
    accuracy_change: Interval | None
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> PolicyVerdict:
        """What the interval of the ratio says; a policy that misses a limit is not compared."""
        if self.ratio is None:
            return "not compared"
        if self.ratio.upper < 1:
            return "cheaper"
        return "dearer" if self.ratio.lower > 1 else "no clear difference"


def policy_result(
    work: PairWork[PolicyRun],
    sides: tuple[PolicyWork, PolicyWork],
    rounds: Sequence[Reading] | Absent,
    references: Sequence[Reading],
) -> PolicyResult:
    """Everything that is known of both policies once their rounds are over."""
    absent: dict[str, str] = {}
    try:
        ratio = ratio_of(work, rounds, references)
    except NotMeasurable as error:
        ratio, absent["pair_energy_ratio"] = None, str(error)
    own = () if isinstance(rounds, Absent) else tuple(rounds)
    reference, candidate = sides
    return PolicyResult(
        reference=_side(reference, references),
        candidate=_side(candidate, own),
        provenance=own[0].provenance if own else None,
        ratio=ratio,
        accuracy_change=candidate.accuracy_change(),
        absent=absent,
    )


def _side(work: PolicyWork, readings: Sequence[Reading]) -> PolicySide:
    energies_j = [energy_j for one in readings if (energy_j := one.energy_j) is not None]
    energy_j = fmean(energies_j) if energies_j else None
    count = len(readings)
    return PolicySide(
        name=work.name,
        energy_j=energy_j,
        energy_per_request_j=None if energy_j is None else energy_j / len(work.load.due_s),
        latency=Percentiles.of(work.latencies_s(count)),
        slo_share=work.slo_share(count),
        accuracy=work.accuracy(),
        mean_batch_size=fmean(size for run in work.runs[-count:] for size in run.batch_sizes),
    )


def metrics_of(result: PolicyResult) -> Metrics:
    """*result* as metrics of the record, by the names that those of a pair of engines have."""
    figures: dict[str, float | None] = {
        "reference_energy_per_sample": result.reference.energy_per_request_j,
        **{
            f"pair_energy_ratio{tail}": None if result.ratio is None else getattr(result.ratio, end)
            for tail, end in _ENDS.items()
        },
    }
    if result.accuracy_change is not None:
        figures |= {
            f"quality_change{tail}": getattr(result.accuracy_change, end) for tail, end in _ENDS.items()
        }
    because = {
        name: result.absent.get("pair_energy_ratio", "the reference was not measured")
        for name, figure in figures.items()
        if figure is None
    }
    return Metrics(figures, because)
