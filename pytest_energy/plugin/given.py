"""Checks of what a test gives besides its work: metrics of its own, and the units of its limits."""

from collections.abc import Collection, Mapping, Sequence

from pytest_energy.codec import MOST_NUMBER, brief, kind_of, number_of
from pytest_energy.errors import EnergyError
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Domain, Reading
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.stats.to_accuracy import TARGETS
from pytest_energy.verdict.policy import ALL_PHASES

_ROLE_LENGTH = 40  # a word or two; it stands in tables


def metric(name: str, value: float | None) -> Metrics:
    """A metric that a test has recorded.

    Raises:
        EnergyError: The value is neither a finite number nor `None`.
    """
    if value is None:
        return Metrics({name: None}, {name: "recorded as None by the test"})
    number = number_of(value)
    if number is None:
        raise EnergyError(
            f"energy.record: {name} must be a number up to {MOST_NUMBER:g}, or None. Got {brief(value)}."
        )
    return Metrics({name: number})


def rate(value: float | None) -> float:
    """Requests per second that engines are compared at.

    Raises:
        EnergyError: It is missing.
    """
    if value is None:
        raise EnergyError("energy.compare needs rate=, in requests per second, to compare engines.")
    return value


def roles(value: object) -> dict[str, str]:
    """Roles that a test gives to channels.

    Raises:
        EnergyError: A name is no channel's, or a role is empty or too long.
    """
    if not isinstance(value, Mapping):
        raise EnergyError(
            f'energy.roles takes channels and their roles: {{"gpu:0": "prefill"}}. Got {kind_of(value)}.'
        )
    checked: dict[str, str] = {}
    for channel, role in value.items():
        if not _is_channel(channel):
            domains = ", ".join(f"{domain}:..." for domain in Domain)
            raise EnergyError(
                f"energy.roles: a channel is called {domains}, as the report lists it. Got {brief(channel)}."
            )
        if not isinstance(role, str) or not 0 < len(role.strip()) <= _ROLE_LENGTH:
            raise EnergyError(
                f"energy.roles: the role of {channel} must be a text of 1 to {_ROLE_LENGTH} characters. "
                f"Got {brief(role)}."
            )
        checked[channel] = role.strip()
    return checked


def _is_channel(name: object) -> bool:
    domain, colon, position = name.partition(":") if isinstance(name, str) else ("", "", "")
    return domain in tuple(Domain) and bool(colon and position)


def check_units(
    mark: EnergyMark, *, samples: int | None, output_tokens: int | None, workload: Mapping[str, str]
) -> None:
    """Check that each limit of *mark* has its unit.

    Raises:
        EnergyError: A limit for each sample or token was set and their number is not known.
    """
    if mark.budget_per_sample_j is not None and samples is None:
        raise EnergyError(
            f"budget_per_sample_j={mark.budget_per_sample_j:g} needs the number of samples in a round.\n"
            "Set samples= in the marker, in energy.measure or in energy.window."
        )
    if mark.budget_j_to_accuracy is not None and not workload.get(TARGETS):
        raise EnergyError(
            f"budget_j_to_accuracy={mark.budget_j_to_accuracy:g} needs a training to an accuracy.\n"
            "Measure it with energy.until."
        )
    for kind in ("token", "prefill_token", "decode_token"):
        limit_j = getattr(mark, f"budget_per_{kind}_j")
        if limit_j is not None and output_tokens is None:
            raise EnergyError(
                f"budget_per_{kind}_j={limit_j:g} needs tokens that an engine counts.\n"
                "Measure the load with energy.requests."
            )


def check_phases(mark: EnergyMark, rounds: Sequence[Reading], stored: Collection[str] = ()) -> None:
    """Check that each phase with a limit came in a round: a misspelt name must not switch the limit off.

    Args:
        mark: With the limits.
        rounds: Of the test.
        stored: Phases that its baseline has.

    Raises:
        EnergyError: One did not; it names those that did.
    """
    usable = [reading for reading in rounds if reading.void_because is None]
    names = dict.fromkeys(phase.name for reading in usable for phase in reading.phases)
    for name, limit_j in mark.phase_budgets_j or ():
        if usable and name not in names:
            known = ", ".join(names) or "none, as a round of a single window has none: use budget_j"
            raise EnergyError(
                f"phase_budgets_j has {limit_j:g} J for the phase {name!r}, which did not come.\n"
                f"Phases of this test: {known}."
            )
    asked = mark.phase_baselines or ()
    for name in dict.fromkeys((*asked, *stored) if ALL_PHASES in asked else asked):
        if usable and name not in names and name != ALL_PHASES:
            known = ", ".join(names) or "none, as a round of a single window has none"
            raise EnergyError(
                f"phase_baselines has the phase {name!r}, which did not come"
                f"{', and which the baseline has' if name in stored else ''}.\n"
                f"Phases of this test: {known}."
                + (" If it was removed on purpose: --energy-baseline=replace" if name in stored else "")
            )
