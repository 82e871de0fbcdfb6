"""All rounds of one test in one run."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pytest_energy.counts import Counts
from pytest_energy.errors import NotMeasurable
from pytest_energy.model.load_costs import DURATION_S, STEP_COUNT, StepCost
from pytest_energy.model.prediction import Prediction
from pytest_energy.model.reading import Reading
from pytest_energy.model.values import Domain, JoinedAs, Machine, Provenance, SensorStatus
from pytest_energy.ready import ReadyPower

NO_ROLE = "no role"
"""Stands for channels without a role among others that have one, such as a processor."""

A_COMMAND = {"measured": "a command"}
"""The workload of a program in a process of its own: what its ranks are is seen from outside, or not."""


def rank_text(ranks: Collection[int]) -> str:
    """What a device is called that *ranks* share.

    >>> rank_text({3}), rank_text({1, 0})
    ('rank 3', 'ranks 0, 1')
    """
    listed = ", ".join(map(str, sorted(ranks)))
    return f"rank {listed}" if len(ranks) == 1 else f"ranks {listed}"


def _role_order(entry: tuple[str, object]) -> tuple[bool, list[tuple[bool, int, str]]]:
    """Numbers inside a role's name in their order, and `NO_ROLE` last."""
    parts = re.split(r"(\d+)", entry[0])
    return entry[0] == NO_ROLE, [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """All rounds of one test in one run.

    Attributes:
        test_id: The test's node id.
        created: UTC time of the record, ISO 8601 with `Z`.
        provenance: Provenance of every round.
        rounds: One reading a round; empty when nothing was measured.
        samples: Samples (images, requests) in one round: the unit of work, or `None`.
        output_tokens: Tokens that a model wrote in one round, or `None` if it writes none.
        workload: Further facts of the work, name to value: records of other work are not comparable.
        engine_settings: How the work is done, name to value: a difference may explain a change of the joules.
        warmup_count: Rounds that were run first and dropped.
        confirming_count: How many of the last rounds are a second batch, taken because the rounds before
            them looked like a regression.
        group: Tests that are correlated together, such as `training`.
        model: The model that was at work: one row of the correlation.
        metrics: Metric name to value; `None` if it could not be computed.
        absent: Name of a missing value (a metric, `net_energy_j`, ...) to the reason.
        idle_power_w: Channel name to power at rest before the first test, or `None`.
        ready_power: Channel name to power with the device open and nothing at work, from all rounds of the
            session; without the channels that don't show it.
        session: Names the process that measured: records of one session share its card, host and hour. `None`
            if it was not recorded.
        machine: Where it was made.
        sensors: Sensors that were available, and those that were not.
        joined_as: How it came into its baseline, if as an improvement or as the first of a new level.
        saturated_because: Why a server did not keep up with its load, so that the joules are those of no
            rate that could be asked of it again; or `None`.
        slo_missed_because: Why too few answers were within the test's limits of latency, or `None`.
        roles: Channel name to what its device did in the work (`rank 0`, `prefill`, `loader`), where that is
            known: another split is other work.
        missing_domains: Domains that were at work and whose joules are not in the rounds'.
        void_because: Why the rounds must not be used, or `None`.
        unmeasured_because: Why there are no rounds that count, or `None`.
        counts: Exact counts of one more call of the work; `None` with its reason in *absent*.
        step_cost: Joules that one more step of a model server adds to a round, if the rounds have steps.
        predictions: Machine key to what a call would use there, of machines that a calibration is of.
    """

    test_id: str
    created: str
    provenance: Provenance
    machine: Machine
    rounds: tuple[Reading, ...] = ()
    samples: int | None = None
    output_tokens: int | None = None
    workload: Mapping[str, str] = field(default_factory=dict)
    engine_settings: Mapping[str, str] = field(default_factory=dict)
    warmup_count: int = 0
    confirming_count: int = 0
    group: str | None = None
    model: str | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    idle_power_w: Mapping[str, float] | None = None
    ready_power: Mapping[str, ReadyPower] = field(default_factory=dict)
    session: str | None = None
    sensors: tuple[SensorStatus, ...] = ()
    joined_as: JoinedAs | None = None
    saturated_because: str | None = None
    slo_missed_because: str | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    missing_domains: tuple[Domain, ...] = ()
    void_because: str | None = None
    unmeasured_because: str | None = None
    counts: Counts | None = None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    step_cost: StepCost | None = None

    def __post_init__(self) -> None:
        if self.provenance is Provenance.PREDICTED:
            raise NotMeasurable(
                f"{self.test_id}: a record can't be predicted: predictions are kept in addition to its rounds"
            )
        for reading in self.rounds:
            if reading.provenance is not self.provenance:
                raise NotMeasurable(
                    f"{self.test_id}: a {reading.provenance} round in a {self.provenance} record; "
                    "joules of different provenance are never mixed"
                )
        if not self.rounds and self.void_because is None and self.unmeasured_because is None:
            raise NotMeasurable(f"{self.test_id}: a record without rounds must say why")
        if not 0 <= self.confirming_count <= len(self.rounds):
            raise NotMeasurable(
                f"{self.test_id}: {self.confirming_count} of {len(self.rounds)} rounds are said to confirm"
            )
        if self.samples is not None and self.samples < 1:
            raise NotMeasurable(
                f"{self.test_id}: samples is {self.samples}; a round works on at least 1 sample"
            )

    @property
    def is_measured(self) -> bool:
        """Whether there are rounds whose joules may be used."""
        return bool(self.rounds) and self.void_because is None and self.unmeasured_because is None

    @property
    def usable_rounds(self) -> tuple[Reading, ...]:
        """The rounds that have joules."""
        return tuple(reading for reading in self.rounds if reading.energy_j is not None)

    @property
    def round_energies_j(self) -> tuple[float, ...]:
        """Joules of each round; empty when the record is void or unmeasured."""
        if not self.is_measured:
            return ()
        return tuple(energy_j for reading in self.rounds if (energy_j := reading.energy_j) is not None)

    @property
    def duration_s(self) -> float | None:
        """Mean seconds of a round that has joules."""
        durations_s = [reading.duration_s for reading in self.usable_rounds]
        return math.fsum(durations_s) / len(durations_s) if durations_s and self.is_measured else None

    @property
    def channels(self) -> dict[str, float] | None:
        """Mean joules of a round by channel, of the channels that every round with joules has."""
        rounds, partial = self.usable_rounds, self.partial_channels
        if not rounds or not self.is_measured:
            return None
        return {
            name: math.fsum(reading.channels[name] for reading in rounds) / len(rounds)
            for name in rounds[0].channels
            if name not in partial
        }

    @property
    def energy_by_role_j(self) -> dict[str, float] | None:
        """Mean joules of a round by role; their sum is that of the channels. `None` if no channel has a role.

        What has no role is `NO_ROLE`. `None` as well if a round lacks a channel that another one has.
        """
        channels = self.channels
        if not channels or self.partial_channels or not channels.keys() & self.roles.keys():
            return None
        by_role: dict[str, list[float]] = {}
        for name, energy_j in channels.items():
            by_role.setdefault(self.roles.get(name, NO_ROLE), []).append(energy_j)
        return {role: math.fsum(energies_j) for role, energies_j in sorted(by_role.items(), key=_role_order)}

    @property
    def partial_channels(self) -> dict[str, str]:
        """Channels without a mean, because a round with joules lacks them: name to that reason."""
        rounds = self.usable_rounds
        if all(reading.channels.keys() == rounds[0].channels.keys() for reading in rounds):
            return {}
        counts = Counter(name for reading in rounds for name in reading.channels)
        return {
            name: f"only {count} of {len(rounds)} rounds have joules of it"
            for name, count in counts.items()
            if count < len(rounds)
        }

    @property
    def energy_j(self) -> float | None:
        """Mean joules of a round."""
        energies_j = self.round_energies_j
        return math.fsum(energies_j) / len(energies_j) if energies_j else None

    @property
    def absent_because(self) -> str | None:
        """Why there are no joules that may be used, or `None` if there are some."""
        if self.round_energies_j:
            return None
        of_rounds = (reading.void_because for reading in self.rounds)
        reasons = filter(None, (self.void_because, self.unmeasured_because, *of_rounds))
        return next(reasons, "no reason was given")

    @property
    def energy_per_sample_j(self) -> float | None:
        if self.energy_j is None or self.samples is None:
            return None
        return self.energy_j / self.samples

    @property
    def energy_per_token_j(self) -> float | None:
        """Joules of a round for each token that the model wrote."""
        if self.energy_j is None or not self.output_tokens:
            return None
        return self.energy_j / self.output_tokens

    @property
    def power_w(self) -> float | None:
        """Mean power of a round: joules over seconds."""
        if self.energy_j is None or not self.duration_s:
            return None
        return self.energy_j / self.duration_s

    @property
    def active_energy_j(self) -> float | None:
        """Mean joules of a round above ready power: what the work used; `None` if that isn't known."""
        rounds = self.usable_rounds
        if (
            not rounds
            or not self.is_measured
            or any(one.channels.keys() - self.ready_power.keys() for one in rounds)
        ):
            return None
        waiting_j = (
            self.ready_power[name].at(reading.temperatures_c.get(name)) * reading.duration_s
            for reading in rounds
            for name in reading.channels
        )
        return math.fsum((*self.round_energies_j, *(-one_j for one_j in waiting_j))) / len(rounds)

    @property
    def energies_at_mean_steps_j(self) -> tuple[float, ...]:
        """Joules of each round that counts, at the mean steps and seconds of all; empty if not known.

        At a fixed rate neither is the work's. A slower host takes fewer steps (`verdict.equal_steps`). The
        seconds that a round is scaled to depend on how many answers its counted part holds, which is chance;
        each costs the power of the quiet before the rounds. So are the tokens in that part: their mean is
        taken too, if their joules are known.
        """
        rounds, cost = self.usable_rounds, self.step_cost
        amounts = [reading.load_amounts for reading in rounds]
        if cost is None or not rounds or not all(amounts):
            return ()
        knows_all = all(one.keys() >= {*cost.names} for one in amounts)
        names = cost.names if knows_all else (STEP_COUNT,)
        means = {
            name: math.fsum(one[name] for one in amounts) / len(amounts) for name in {*names, DURATION_S}
        }
        quiet_w = [reading.quiet_power_w.get(name, 0.0) for reading in rounds for name in cost.channels]
        rest_w = 0.0 if DURATION_S in names else math.fsum(quiet_w) / len(rounds)
        return tuple(
            math.fsum(reading.channels.values())
            - cost.energy_of_j({name: one[name] - means[name] for name in names})
            - rest_w * (one[DURATION_S] - means[DURATION_S])
            for reading, one in zip(rounds, amounts, strict=True)
        )

    @property
    def ready_power_w(self) -> Mapping[str, float] | None:
        """Power by channel just before the first round that counts: device open, no work; or `None`."""
        return (self.rounds[0].quiet_power_w or None) if self.is_measured else None

    @property
    def net_energy_j(self) -> float | None:
        """Mean joules of a round above idle: energy - idle power x time (the paper's E_tr and E_in)."""
        if (
            self.energy_j is None
            or self.duration_s is None
            or self.idle_power_w is None
            or self.channels is None
            or self.partial_channels
        ):
            return None
        if any(name not in self.idle_power_w for name in self.channels):
            return None
        idle_w = math.fsum(self.idle_power_w[name] for name in self.channels)
        return self.energy_j - idle_w * self.duration_s
