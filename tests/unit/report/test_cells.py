import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.model import Domain, Machine, Provenance
from pytest_energy.report import cells, formats, to_terminal, view
from pytest_energy.stats.correlate import Correlation
from tests.builders import CREATED, comparison, judgement, reading, record
from tests.fakes.sessions import estimated_session, replayed_session


def _row(found: Judgement) -> view.Row:
    return view.of([found]).rows[0]


@pytest.mark.parametrize(
    ("idle_w", "ready_w", "told"),
    [
        (77.84, 121.3, "gpu:0: idle 77.8 W, ready 121 W"),
        (77.84, None, "gpu:0: idle 77.8 W"),
        (None, 121.3, "gpu:0: ready 121 W"),
    ],
)
def test_power_without_work_is_told_as_far_as_it_is_known(
    idle_w: float | None, ready_w: float | None, told: str
) -> None:
    """A power that wasn't measured is left out, never 0."""
    rest = view.IdlePower(channel="gpu:0", idle_power_w=idle_w, ready_power_w=ready_w)
    assert cells.idle_power(rest) == told


@pytest.mark.parametrize(
    ("provenance", "mark"),
    [(Provenance.MEASURED, ""), (Provenance.ESTIMATED, "~"), (Provenance.REPLAYED, "r")],
)
def test_joules_carry_the_mark_of_their_origin(provenance: Provenance, mark: str) -> None:
    """Each cell with joules says by itself that they were not measured."""
    row = _row(judgement(energy_j=12.0, uncertainty_j=0.2, samples=16, provenance=provenance))
    energy, power, _, per_sample, _ = cells.values(row)
    assert (energy, power, per_sample) == (f"{mark}12.00 +- 0.20 J", f"{mark}12.0", f"{mark}750 mJ")


def test_joules_without_summary_have_no_uncertainty() -> None:
    """Where nobody worked out the uncertainty none is shown, rather than 0."""
    unsummarised = replace(judgement(energy_j=12.0, provenance=Provenance.ESTIMATED), summary=None)
    assert cells.values(_row(unsummarised))[0] == "~12 J"


def test_only_a_replays_seconds_are_marked() -> None:
    """An estimate's seconds are those of a clock; a replay's come from its file."""
    assert cells.values(_row(judgement(provenance=Provenance.ESTIMATED)))[2] == "1.00"
    assert cells.values(_row(judgement(provenance=Provenance.REPLAYED)))[2] == "r1.00"


@pytest.mark.parametrize("verdict", [Verdict.VOID, Verdict.UNMEASURED])
def test_absent_is_a_dash(verdict: Verdict) -> None:
    """Nothing that was not measured reads as a number."""
    assert cells.values(_row(judgement(verdict=verdict, energy_j=None))) == ["-"] * 5


def test_failing_verdicts_are_in_capitals() -> None:
    """What fails the test stands out."""
    assert [cells.verdict(v) for v in (Verdict.REGRESSION, Verdict.PASS)] == ["REGRESSION", "pass"]


def test_the_dust_of_floats_is_no_change() -> None:
    """A ratio that is 1 but for rounding reads as 0 %, the smallest real change does not."""
    assert cells.percent(1 + 3e-16) == "0 %"
    assert cells.percent(1 + 1e-6) == "+0.00010 %"


def test_change_with_its_bounds() -> None:
    """A change has its bounds beside it; without baseline there is neither."""
    assert cells.change(comparison(1.304, (1.27, 1.34))) == "+30.4 % [+27, +34]"
    assert cells.change(None) == "-"


@given(st.floats(-0.9, 9.0), st.floats(0.0, 5.0))
def test_bounds_are_rounded_outward(lower: float, distance: float) -> None:
    """What is shown always contains what was computed, and a bound that is not 0 never reads as 0."""
    upper = lower + distance
    assume(all(value == 0 or abs(value) > 1e-8 for value in (lower, upper)))
    shown = cells.interval(lower, upper, decimals=1).strip("[]").split(", ")
    assert float(shown[0]) <= lower + 1e-8
    assert float(shown[1]) >= upper - 1e-8
    assert all((float(text) == 0) == (value == 0) for text, value in zip(shown, (lower, upper), strict=True))


@pytest.mark.parametrize(
    ("ratio_ci", "text"),
    [
        ((1.0, 1.0), "[0, 0]"),
        ((0.9991, 1.0012), "[-0.09, +0.12]"),
        ((1 - 2e-16, 1 + 3e-16), "[0, 0]"),
        ((0.27, 1.34), "[-73, +34]"),
        ((1.1, 1.1 + 1e-15), "[+10.000000000, +10.000000000]"),
    ],
)
def test_bounds_of_a_ratio(ratio_ci: tuple[float, float], text: str) -> None:
    """As many decimals as the distance of the bounds asks for; the dust of floats is no percent."""
    assert cells.bounds(ratio_ci) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (128.0, "128.0"),
        (61706.0, "61706"),
        (1234.567, "1235"),
        (0.0451234, "0.04512"),
        (2.79e-5, "2.790e-05"),
        (-8.03e9, "-8.03 G"),
        (math.nan, "nan"),
        (0.99999, "1.000"),
    ],
)
def test_plain_numbers(value: float, text: str) -> None:
    """Four significant digits, whole large numbers as they are, millions with a prefix."""
    assert cells.plain(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_a_number_that_is_not_zero_never_reads_zero(value: float) -> None:
    """Rounding keeps at least one significant digit."""
    assert any(digit in cells.plain(value).split("e")[0] for digit in "123456789")


def _found(rho: float | None, **given_values: object) -> view.MetricCorrelation:
    return view.MetricCorrelation(
        metric="flops",
        correlation=Correlation(rho=rho, n=7, **given_values),  # type: ignore[arg-type]
        paper={"HC-4": 0.32},
    )


@pytest.mark.parametrize(
    ("rho", "text"),
    [
        (1.0, "+1.000"),
        (0.99999, "+0.999"),
        (-0.99999, "-0.999"),
        (1e-5, "+1e-05"),
        (0.0, "+0.000"),
        (-0.4321, "-0.432"),
    ],
)
def test_rho_never_reads_as_one_or_zero_that_it_is_not(rho: float, text: str) -> None:
    """Three decimals, except where they would say 0 or 1 of what is neither."""
    assert cells.correlation(_found(rho), ())[0] == text


def test_a_correlation_and_the_papers() -> None:
    """Rho, n, p, interval, then the paper's columns, a dash where it has no value."""
    texts = cells.correlation(_found(0.5, p_exact=0.0167, ci=(0.004, 0.9912)), ("HC-1", "HC-4"))
    assert texts == ["+0.500", "7", "0.017", "[+0.004, +1.00]", "-", "+0.320"]


def test_p_of_random_orders_stands_where_there_is_no_exact_one() -> None:
    """Above nine rows p comes from random orders."""
    assert cells.correlation(_found(0.5, p_monte_carlo=0.0001), ())[2] == "<0.001"


def test_a_correlation_that_is_absent_is_all_dashes() -> None:
    """No rho, no p, no interval: no numbers."""
    assert cells.correlation(_found(None), ()) == ["-", "7", "-", "-"]


def _three_models(metrics: dict[str, tuple[float, float, float]]) -> view.Group:
    judgements = [
        judgement(
            energy_j=i + 1.0,
            group="g",
            model=f"m{i}",
            metrics={name: values[i] for name, values in metrics.items()},
        )
        for i in range(3)
    ]
    return view.of(judgements).groups[0]


def test_a_note_of_every_metric_is_told_without_names() -> None:
    """What is true of the whole table is not said of each metric."""
    group = _three_models({"a": (1.0, 2.0, 3.0), "b": (3.0, 1.0, 2.0)})
    assert cells.correlation_notes(group) == ["too few rows to judge"]


def test_a_note_of_some_metrics_names_them() -> None:
    """What is true of some metrics is said of those."""
    group = _three_models({"a": (1.0, 2.0, 3.0), "b": (1.0, 1.0, 1.0)})
    assert [note.split(":")[0] for note in cells.correlation_notes(group)] == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (view.AGAINST, "~750 mJ"),
        ("energy_per_sample", "~2 J"),
        ("work_per_unit_power", "~2.000"),
        ("energy_scaling_factor", "~2.000"),
        ("energy_per_token_j", "~2.000"),
        ("parameters", "2.000"),
        ("accuracy", "2.000"),
    ],
)
def test_metrics_made_of_joules_are_marked(name: str, text: str) -> None:
    """By its unit, or its name where nobody knows it, a metric made of estimated joules has their mark."""
    metrics = {} if name == view.AGAINST else {name: 2.0}
    found = view.of([judgement(group="g", model="m", provenance=Provenance.ESTIMATED, metrics=metrics)])
    (group,) = found.groups
    assert cells.metric(group, group.rows[0], name) == text


def test_the_same_energy_is_not_two_columns() -> None:
    """The paper's `energy_per_sample` is what stands first already."""
    found = view.of([judgement(group="g", metrics={"energy_per_sample": 1.0, "parameters": 1.0})])
    assert cells.metric_columns(found.groups[0]) == ("energy_per_sample_j", "parameters")


@pytest.mark.parametrize(
    ("session", "marks"), [(estimated_session, ["~"]), (replayed_session, ["r", "+", "["])]
)
def test_the_legend_explains_what_is_there(
    session: Callable[[], Sequence[Judgement]], marks: list[str]
) -> None:
    """Every mark in the table is explained, no other."""
    legend = cells.legend(view.of(session()))
    assert [line[0] for line in legend][: len(marks)] == marks


def test_nothing_to_explain() -> None:
    """A table of dashes needs no legend."""
    assert cells.legend(view.of([judgement(energy_j=None, verdict=Verdict.UNMEASURED)])) == []


def test_summary_says_where_all_joules_come_from() -> None:
    """The first line of a run of estimates says so."""
    assert cells.summary(view.of(estimated_session())) == "4 tests, every joule estimated: 4 unmeasured"
    assert cells.summary(view.of([judgement()])) == "1 test: 1 pass"
    assert cells.summary(view.of([])) == "0 tests"


@pytest.mark.parametrize("hostile", ["a\nb", "a\x1b[31mb", "a\rb", "a\udc80b", "a\u202eb"])
def test_printable_text_is_one_harmless_line(hostile: str) -> None:
    """Nothing in a name can move the cursor, colour the screen or turn the text around."""
    assert cells.printable(hostile).isprintable()


@pytest.mark.parametrize(("reason", "line"), [("a\nb", "a"), ("\n a\n", "a"), ("", "")])
def test_first_line(reason: str, line: str) -> None:
    """The first line that says something; an empty reason has none."""
    assert cells.first_line(reason) == line


def test_a_fixed_load_is_told_with_joules_and_seconds() -> None:
    """Its mean round, or the reason why there is none."""
    rounds = [reading(289.0, duration_s=0.5), reading(291.0, duration_s=0.54)]
    measured = record(test_id="yardstick::gpu-compute", rounds=rounds)
    assert cells.fixed_load(measured) == "yardstick gpu-compute: 290 J in 520 ms"
    absent = record(test_id="yardstick::gpu-rest", rounds=(), unmeasured_because="torch is not\nimported")
    assert cells.fixed_load(absent) == "yardstick gpu-rest: torch is not"


# ---- what joules are of ----


def _scoped(energy_j: float | None = 12.0, *, estimated_j: float | None = 35.2) -> Judgement:
    """Joules of a GPU beside a CPU that nothing measured; none: the GPU was at rest."""
    channels = {"gpu:0": energy_j} if energy_j else {}
    one = replace(
        reading(channels={"gpu:0": 12.0}),
        channels=channels,
        resting_channels={} if energy_j else {"gpu:0": 12.0},
        estimated_channels={} if estimated_j is None else {"cpu:processes": estimated_j},
    )
    plain = judgement(verdict=Verdict.PASS if energy_j else Verdict.UNMEASURED)
    because = None if energy_j else "the GPU was at rest"
    record = replace(
        plain.record, rounds=(one,) * 5, missing_domains=(Domain.CPU,), unmeasured_because=because
    )
    return replace(plain, record=record, summary=plain.summary if energy_j else None)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (_scoped(), "GPU only, CPU ~35.2 J"),
        (_scoped(estimated_j=None), "GPU only"),
        (_scoped(None), "CPU ~35.2 J"),
        (judgement(), "-"),
    ],
)
def test_a_row_names_its_scope_and_the_estimate_beside(found: Judgement, text: str) -> None:
    """Where more was at work than was measured; a device at rest has no joules to be of anything."""
    row = _row(found)
    assert cells.scope(row.record) == text
    assert cells.values(row, cells.heads([row]))[5:] == ([text] if text != "-" else [])


def test_a_table_has_a_scope_where_a_row_does() -> None:
    """One column for all rows, and a legend that says what it means; none where nothing is missing."""
    both, none = view.of([_scoped(), judgement(test_id="t::other")]), view.of([judgement()])
    assert cells.heads(both.rows) == (*cells.HEADS, "scope")
    assert cells.heads(none.rows) == cells.HEADS
    assert any(line.startswith("scope: ") for line in cells.legend(both))
    assert any(line.startswith("~ estimated") for line in cells.legend(both))
    assert not any(line.startswith(("scope", "~")) for line in cells.legend(none))


@pytest.mark.parametrize("suffix", [".md", ".html", ".csv", ".rounds.csv", ".json"])
def test_every_report_has_the_scope_and_the_estimate(suffix: str) -> None:
    """None of them lets joules of a part pass for those of the whole."""
    text = formats.RENDERERS[suffix](view.of([_scoped(), _scoped(None)]), CREATED)
    for word in {
        ".md": ("GPU only, CPU ~35.2 J", "| scope |"),
        ".html": ("GPU only, CPU ~35.2 J", "estimate beside them"),
        ".csv": ("GPU only", "35.2", "scope,estimated_j"),
        ".rounds.csv": ("estimated.cpu:processes_j", "resting.gpu:0_j"),
        ".json": ('"missing_domains"', '"estimated_channels"', '"resting_channels"'),
    }[suffix]:
        assert word in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_screen_has_them_at_any_width(width: int) -> None:
    """The column is folded, never left out."""
    text = to_terminal.render(view.of([_scoped()]), width=width)
    assert "GPU only" in text
    assert "CPU ~35.2 J" in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("factors", "expected"),
    [(["2"], 2), (["2", "4"], 4), ([None], 5), (["x"], 5), (["9" * 5000], 5), ([], 5), (["\u0664"], 5)],
    ids=["one", "the largest", "not recorded", "no number", "too long", "no machine", "another script"],
)
def test_the_factor_of_an_estimate_is_what_its_record_says(factors: list[str | None], expected: int) -> None:
    """Records of several machines have the largest; one that doesn't say has the largest that there is."""
    shown = [{} if factor is None else {"estimate_factor": factor} for factor in factors]
    machines = [Machine(key="laptop", fixed={}, varying=facts) for facts in shown]
    assert cells.estimate_factor(machines) == expected
    assert cells.mark_text(Provenance.ESTIMATED, machines).endswith(f"may be wrong by a factor of {expected}")


def test_an_estimate_says_from_what_it_is_made_and_that_its_error_is_unknown() -> None:
    """Of a machine whose estimates aren't made from CPU time, beside one whose are."""
    facts = {"estimate_from": "Apple's model of the chip", "estimate_factor": "unknown"}
    apple = Machine(key="mac", fixed={}, varying=facts)
    text = cells.mark_text(Provenance.ESTIMATED, [apple])
    assert text.endswith("worked out from Apple's model of the chip, may be wrong by an unknown factor")
    both = cells.mark_text(Provenance.ESTIMATED, [apple, Machine(key="laptop", fixed={}, varying={})])
    assert "Apple's model of the chip and processor time and rated power, may be wrong by an unknown" in both
