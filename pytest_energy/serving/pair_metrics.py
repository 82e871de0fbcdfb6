"""What a pair of settings adds to the record of the second one: the reference's times, and the agreement."""

from collections.abc import Sequence

from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.serving.agreement import Agreement
from pytest_energy.serving.load_metrics import timing_metrics
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.slo import Slo

REFERENCE_TIMES = ("slo_share", "ttft_p99_s", "tpot_p99_s", "e2e_p99_s")


def reference_metrics(loads: Sequence[LoadResult], slo: Slo | None) -> Metrics:
    """Times of the reference's answers, under names that say so."""
    if not loads:
        return Metrics()
    own = timing_metrics(loads, slo=slo)
    figures = {f"reference_{name}": own.values[name] for name in REFERENCE_TIMES}
    return Metrics(
        figures, {f"reference_{name}": own.absent[name] for name in REFERENCE_TIMES if name in own.absent}
    )


def agreement_metrics(agreement: Agreement | None, *, of: str = "") -> dict[str, float | None]:
    """Its shares with their ends; *of* begins the names: `self_` for a setting with itself."""
    figures: dict[str, float | None] = {
        f"{of}prefix_length": None if agreement is None else agreement.prefix_length
    }
    for name, member in (
        ("answer_agreement", "same"),
        ("prefix_agreement", "prefix"),
        ("position_agreement", "by_position"),
    ):
        interval = None if agreement is None else getattr(agreement, member)
        for end, tail in (("value", ""), ("lower", "_lower"), ("upper", "_upper")):
            figures[f"{of}{name}{tail}"] = None if interval is None else getattr(interval, end)
    return figures
