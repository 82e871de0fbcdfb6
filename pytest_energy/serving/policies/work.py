"""The loads of one policy in rounds: one of two that take turns.

Rule 1: latencies are pooled over the rounds, as those of engines are; accuracy is of the newest round, with
an interval over the items.
Rule 2: joules are compared only within the limit of latency and the accepted loss of accuracy, else the
reason names the limit.
Rule 3: accuracy is kept if the whole 95 % interval of its change, item by item, is above the accepted loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Reading, Record
from pytest_energy.serving.load_result import percentile
from pytest_energy.serving.policies.changing_load import ChangingLoad
from pytest_energy.serving.policies.protocol import Policy
from pytest_energy.serving.policies.serve import PolicyRun, serve_load
from pytest_energy.stats.bounded_mean import Interval, bounded_mean
from pytest_energy.units import to_text
from pytest_energy.work import Trace, WorkDescription

_SCORE_ABSENT = "the load has no labels: ChangingLoad(labels=...)"
_SHARE_ABSENT = "the load has no limit of latency: ChangingLoad(slo=Slo(e2e_s=...))"


@dataclass(slots=True, kw_only=True)
class PolicyWork:
    """The loads of one policy.

    Attributes:
        name: Of the policy.
        reference: The side that this one's accuracy is compared with; `None` for the reference itself.
        runs: What came of the loads so far, warm-up included.
    """

    name: str
    policy: Policy
    load: ChangingLoad
    reference: "PolicyWork | None" = None
    clock: Clock = field(default_factory=SystemClock)
    model: str = ""
    call_count: int = 1
    may_repeat: bool = False
    runs: list[PolicyRun] = field(default_factory=list)

    def prepare(self) -> None:
        """Nothing: items are ready."""

    def run(self, _call_index: int, _window: OpenWindow | None, /) -> PolicyRun:
        self.runs.append(serve_load(self.name, self.policy, self.load, self.clock))
        return self.runs[-1]

    def conclude(self, reading: Reading) -> Reading:
        return reading

    @property
    def as_setting(self) -> Mapping[str, str]:
        """Nothing: a policy is known by its name."""
        return {}

    def description(self, round_count: int, /) -> WorkDescription:
        load = self.load
        slo, loss = load.slo, load.accuracy_loss
        facts = {
            "rates": load.stages_text,
            "schedule_seed": str(load.seed),
            "latency_limit": "none" if slo is None else f"{slo.e2e_s:g} s",
            "accuracy_loss": "no limit" if loss is None else f"{loss:g}",
        }
        return WorkDescription(
            samples=len(load.due_s),
            workload=facts,
            slo_missed_because=self.why_late(round_count),
            metrics=lambda record: self.metrics(len(record.rounds)) | _per_request(record),
        )

    def counts(self, _trace: Trace, /) -> Counts | Absent:
        return Absent("the batches of a policy depend on when requests arrive, so their counts do not repeat")

    # ---- what is known of the newest rounds ----

    def latencies_s(self, round_count: int) -> list[float]:
        """Of the newest rounds; of all where no round was measured."""
        return [latency_s for run in self.runs[-round_count:] for latency_s in run.latencies_s]

    def right(self) -> list[bool]:
        """Whether each item was answered right in the newest round, at its first request."""
        answers = self.runs[-1].answers[: len(self.load.items)]
        return [self.load.is_right(position, answer) for position, answer in enumerate(answers)]

    def accuracy(self) -> Interval | None:
        """Share of right answers, with its 95 % interval over the items."""
        return None if self.load.labels is None else bounded_mean([float(one) for one in self.right()])

    def slo_share(self, round_count: int) -> float | None:
        """Share of answers within the limit of latency."""
        slo = self.load.slo
        if slo is None or slo.e2e_s is None:
            return None
        return fmean(latency_s <= slo.e2e_s for latency_s in self.latencies_s(round_count))

    def metrics(self, round_count: int, *, of: str = "") -> Metrics:
        """Latencies, share within the limit, accuracy, and batches; *of* begins their names."""
        latencies_s, accuracy = self.latencies_s(round_count), self.accuracy()
        sizes = [size for run in self.runs[-round_count:] for size in run.batch_sizes]
        figures: dict[str, float | None] = {
            "e2e_p50_s": percentile(latencies_s, 0.5),
            "e2e_p99_s": percentile(latencies_s, 0.99),
            "slo_share": self.slo_share(round_count),
            "quality": None if accuracy is None else accuracy.value,
            "quality_lower": None if accuracy is None else accuracy.lower,
            "quality_upper": None if accuracy is None else accuracy.upper,
            "mean_batch_size": fmean(sizes),
        }
        absent = {name: _SCORE_ABSENT for name in figures if name.startswith("quality")}
        absent["slo_share"] = _SHARE_ABSENT
        return Metrics(
            {f"{of}{name}": figure for name, figure in figures.items()},
            {f"{of}{name}": because for name, because in absent.items() if figures[name] is None},
        )

    def as_reference(self, round_count: int) -> Metrics:
        return self.metrics(round_count, of="reference_")

    # ---- the limits ----

    def accuracy_change(self) -> Interval | None:
        """Accuracy less the reference's, with its 95 % interval over the items."""
        if self.reference is None or self.load.labels is None:
            return None
        pairs = zip(self.right(), self.reference.right(), strict=True)
        half = bounded_mean([(1 + own - other) / 2 for own, other in pairs])
        return Interval(value=2 * half.value - 1, lower=2 * half.lower - 1, upper=2 * half.upper - 1)

    def why_late(self, round_count: int) -> str | None:
        """Why the limit of latency was missed, or `None`."""
        slo, share = self.load.slo, self.slo_share(round_count)
        if slo is None or slo.least_share is None or slo.e2e_s is None or share is None:
            return None
        if share >= slo.least_share:
            return None
        latencies_s = self.latencies_s(round_count)
        p99, limit = to_text(percentile(latencies_s, 0.99), "s", digits=3), to_text(slo.e2e_s, "s")
        shares = f"{100 * share:.4g} % of {len(latencies_s)} answers were within the latency limits"
        return f"{shares}, {100 * slo.least_share:.4g} % wanted; e2e p99 {p99}, limit {limit}"

    def why_no_ratio(self, round_count: int) -> str | None:
        late, change, loss = self.why_late(round_count), self.accuracy_change(), self.load.accuracy_loss
        if late is not None:
            return f"did not keep the latency limit: {late.partition('; ')[0]}"
        if change is None or loss is None or change.lower > -loss:
            return None
        value, lower, upper = (f"{100 * one:+.2f}" for one in (change.value, change.lower, change.upper))
        return (
            f"may not keep the accuracy: {value} points [{lower}, {upper}] against the reference, "
            f"{100 * loss:.4g} accepted"
        )


def _per_request(record: Record) -> Metrics:
    """Joules of a request, idle time between requests included."""
    energy_j, count = record.energy_j, record.samples
    if energy_j is None or not count:
        return Metrics({"energy_per_sample": None}, {"energy_per_sample": "the load was not measured"})
    return Metrics({"energy_per_sample": energy_j / count})
