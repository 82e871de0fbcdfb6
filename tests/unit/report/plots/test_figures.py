"""What the figures show: points, scales, labels and words, read from what was drawn."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text

from pytest_energy.model import Judgement, Machine, Provenance, Record, Verdict
from pytest_energy.report import batch, rates, view
from pytest_energy.report.plots import batch_size, correlation, request_rate, rounds, training_inference
from pytest_energy.report.plots.canvas import DARK, LIGHT, styled, with_room
from pytest_energy.report.text import heading
from pytest_energy.report.view import View
from tests.builders import comparison, judgement, record, sessions


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with styled(LIGHT):
        yield


def texts(figure: Figure) -> str:
    """All that is written, a line a text."""
    return "\n".join(found.get_text() for found in figure.findobj(Text))


def flat(figure: Figure) -> str:
    """The same with line breaks gone, as they come from the width of the page."""
    return " ".join(texts(figure).split())


def legend(axes: Axes) -> list[str]:
    found = axes.get_legend()
    assert found is not None
    return [text.get_text() for text in found.get_texts()]


def points(line: Line2D) -> list[tuple[float, float]]:
    x, y = (np.asarray(values, dtype=float).tolist() for values in line.get_data())
    return list(zip(x, y, strict=True))


def labelled(axes: Axes, start: str) -> Line2D:
    """The marks whose label starts so: a line, or that of error bars."""
    for line in axes.get_lines():
        if str(line.get_label()).startswith(start):
            return line
    for container in axes.containers:
        if str(container.get_label()).startswith(start):
            line = container[0]
            assert isinstance(line, Line2D)
            return line
    raise AssertionError(f"nothing is labelled {start}: {axes.get_legend_handles_labels()[1]}")


def bars(axes: Axes, start: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Ends of the error bars of the marks labelled so, `[N, 2, 2]`."""
    (found,) = [one for one in axes.containers if str(one.get_label()).startswith(start)]
    return np.array(found[2][0].get_segments())


def renderer_of(figure: Figure) -> RendererBase:
    """The renderer that a figure, drawn to its end, is measured with."""
    figure.draw_without_rendering()
    renderer: RendererBase = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # matplotlib's
    return renderer


def is_within(figure: Figure) -> bool:
    """Whether all that is drawn lies on the page."""
    drawn = figure.get_tightbbox(renderer_of(figure))
    width_in, height_in = figure.get_size_inches()
    return bool(drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width_in and drawn.y1 <= height_in)


# correlation


def model_test(
    name: str, energy_j: float | None, group: str = "training", **metrics: float | None
) -> Judgement:
    return judgement(
        test_id=f"t.py::test_{group}[{name}]",
        energy_j=energy_j,
        verdict=Verdict.PASS if energy_j is not None else Verdict.UNMEASURED,
        group=group,
        model=name,
        metrics=metrics,
        absent={metric: "nobody counted" for metric, value in metrics.items() if value is None},
    )


def group_figure(run: View) -> tuple[Figure, list[Axes]]:
    figure = correlation.draw(run, run.groups[0], LIGHT)
    return figure, figure.axes


def six_models() -> View:
    """Six models, energy rising with MACs a parameter, over two decades of joules."""
    names = [f"net{number}" for number in range(6)]
    return view.of(
        [
            model_test(name, 16.0 * 3**n, parameters=1e6 + n, macs_param=10.0 * 2**n, accuracy=None)
            for n, name in enumerate(names)
        ]
    )


def test_a_panel_a_metric_with_the_reports_numbers() -> None:
    """Points are those of the report's table, the title its cells, the paper's values beside them."""
    run = six_models()
    figure, all_axes = group_figure(run)
    assert [axes.get_xlabel() for axes in all_axes] == ["parameters", "macs_param"]
    macs = all_axes[1]
    rows = run.groups[0].rows
    assert points(macs.get_lines()[0]) == [
        (row.metrics["macs_param"], row.energy_per_sample_j) for row in rows
    ]
    title = macs.get_title(loc="left")
    assert title.startswith("rho +1.000, n = 6, p = 0.003, 95 % [")
    assert "paper: +0.902 HC-1, +0.915 HC-2, +0.853 HC-3" in title
    assert macs.get_ylabel() == "J/sample"
    assert "accuracy (nobody counted)" in flat(figure)


def test_wide_ranges_are_logarithmic() -> None:
    """An axis is logarithmic where its values span more than a decade, linear where they don't."""
    _, (parameters, macs) = group_figure(six_models())
    assert (parameters.get_xscale(), macs.get_xscale()) == ("linear", "log")
    assert {axes.get_yscale() for axes in (parameters, macs)} == {"log"}


def test_ticks_of_a_narrow_range_differ() -> None:
    """Six millions that differ by one each are told apart on their axis."""
    figure, (parameters, _) = group_figure(six_models())
    figure.draw_without_rendering()
    said = [label.get_text() for label in parameters.get_xticklabels()]
    assert len(set(said)) == len(said)


def test_names_stand_beside_their_points_and_apart() -> None:
    """Names are written where there is room; no two lie over each other, and none is invented."""
    figure, (_, macs) = group_figure(six_models())
    names = [found for found in macs.texts if isinstance(found, Annotation)]
    assert {name.get_text() for name in names} == {f"net{number}" for number in range(6)}
    renderer = renderer_of(figure)
    boxes = [name.get_window_extent(renderer) for name in names]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_names_without_room_are_left_out() -> None:
    """Thirty models at one point: few names, no heap."""
    run = view.of([model_test(f"network_{n}", 16.0, m=1.0) for n in range(30)])
    figure, (axes,) = group_figure(run)
    assert 0 < len(axes.texts) <= 8
    assert "A name with no room beside its point is left out." in flat(figure)


def test_what_has_no_joules_is_no_point() -> None:
    """A model without joules is absent with its name and reason, never at 0."""
    run = view.of([model_test("a", 16.0, m=1.0), model_test("b", 32.0, m=2.0), model_test("c", None, m=3.0)])
    figure, (axes,) = group_figure(run)
    assert points(axes.get_lines()[0]) == [(1.0, 1.0), (2.0, 2.0)]
    assert "Without joules, so without a point: c." in flat(figure)
    assert "no sensor on this machine" in flat(figure)
    assert axes.get_title(loc="left").startswith("rho +1.000, n = 2")


def test_a_group_that_the_paper_lacks() -> None:
    """No line of the paper's where it has no such group; a request is no sample."""
    own = view.of([model_test("a", 16.0, "own", m=1.0), model_test("b", 32.0, "own", m=2.0)])
    assert "paper" not in texts(group_figure(own)[0])
    load = view.of([model_test("a", 16.0, "requests", m=1.0), model_test("b", 32.0, "requests", m=2.0)])
    assert group_figure(load)[1][0].get_ylabel() == "J/request"


@pytest.mark.parametrize(
    ("provenance", "label"),
    [(Provenance.ESTIMATED, "estimated J/sample"), (Provenance.REPLAYED, "replayed J/sample")],
)
def test_joules_that_were_not_measured_are_called_so(provenance: Provenance, label: str) -> None:
    """The axis itself says it."""
    run = view.of(
        [
            judgement(
                test_id=f"t.py::t[{n}]", group="g", model=str(n), metrics={"m": n}, provenance=provenance
            )
            for n in (1.0, 2.0)
        ]
    )
    assert group_figure(run)[1][0].get_ylabel() == label


# batch size


def swept(model: str, batch_size: int, energy_j: float | None, **more: object) -> Judgement:
    """A test of 10 samples."""
    facts: dict[str, object] = {"verdict": Verdict.PASS if energy_j is not None else Verdict.UNMEASURED}
    return judgement(
        test_id=f"b.py::test_batch_size[{model}-{batch_size}]",
        energy_j=energy_j,
        samples=10,
        group="batch",
        model=f"{model}@{batch_size}",
        **(facts | more),  # type: ignore[arg-type]  # its own words
    )


def sweep_figure(*judgements: Judgement) -> tuple[Figure, Axes, Axes]:
    figure = batch_size.draw(batch.sweeps(view.of(judgements))[0], LIGHT)
    upper, lower = figure.axes
    return figure, upper, lower


def test_best_ties_and_saturation_are_marked() -> None:
    """A star for the best, a diamond for its tie, a line where it saturates; bars are the intervals."""
    figure, upper, lower = sweep_figure(
        swept("v", 4, 80.0, duration_s=2.0), swept("v", 8, 60.1), swept("v", 16, 60.0), swept("v", 32, 65.0)
    )
    assert points(labelled(upper, "J/sample")) == [(4, 8.0), (8, 6.01), (16, 6.0), (32, 6.5)]
    assert bars(upper, "J/sample")[0, :, 1].tolist() == pytest.approx([7.96, 8.04])
    assert points(labelled(upper, "best: 16")) == [(16, 6.0)]
    assert labelled(upper, "best: 16").get_marker() == "*"
    assert points(labelled(upper, "tie with it: 8")) == [(8, 6.01)]
    assert labelled(upper, "saturated past 16").get_xdata() == [16, 16]
    assert points(labelled(lower, "samples/s")) == [(4, 5.0), (8, 10.0), (16, 10.0), (32, 10.0)]
    assert (lower.get_xscale(), lower.xaxis.get_transform().base) == ("log", 2)  # type: ignore[attr-defined]  # a log scale's
    assert "8 can't be told from it" in flat(figure)


def test_lost_sizes_stand_at_the_foot() -> None:
    """Out of memory, void and missing each have a shape and a word, and no joules."""
    full = "out of memory: CUDA out of memory"
    figure, upper, _ = sweep_figure(
        swept("v", 4, 80.0),
        swept("v", 8, 40.0, verdict=Verdict.VOID),
        swept("v", 16, None, absent={"energy_j": full}),
        swept("w", 64, 80.0),
    )
    marks = {word: labelled(upper, word) for word in ("out of memory", "without joules", "no record")}
    assert {word: points(line)[0][0] for word, line in marks.items()} == {
        "out of memory": 16,
        "without joules": 8,
        "no record": 64,
    }
    assert len({line.get_marker() for line in marks.values()}) == 3
    assert all(line.get_transform() == upper.get_xaxis_transform() for line in marks.values())
    assert points(labelled(upper, "J/sample")) == [(4, 8.0)]
    assert full in flat(figure)
    assert "thermal slowdown" in flat(figure)


def test_the_open_end_is_told() -> None:
    """A best at the largest size of the run may not be the best; one before a lost size is told that way."""
    opened, *_ = sweep_figure(swept("v", 4, 80.0), swept("v", 8, 60.0))
    assert "a larger one may be better" in flat(opened)
    closed, *_ = sweep_figure(swept("v", 4, 80.0), swept("v", 8, None))
    assert "a larger one may be better" not in flat(closed)


def test_numbers_on_the_axis_have_room() -> None:
    """The paper's sizes: ends and powers of two are written, what would lie over them isn't."""
    sizes = [4, 8, 16, 32, 64, 96, 128, 160, 192, 224, 256]
    shown = with_room(sizes, room=20)
    assert {4, 8, 16, 32, 64, 128, 256} <= shown
    assert 224 not in shown
    assert with_room([], room=5) == frozenset()


# request rate


def rate_figure(*energies_j: float, saturated: Sequence[float] = ()) -> tuple[Figure, Axes]:
    """Rates 1, 2, 4, ... with these joules a request."""
    judgements = [
        judgement(
            test_id=f"b.py::test_requests[1B@{2**n}]",
            energy_j=10 * energy_j,
            samples=10,
            group="requests",
            model=f"1B@{2**n}/s",
            metrics={"request_rate": 2.0**n},
        )
        for n, energy_j in enumerate(energies_j)
    ]
    (series,) = rates.rate_series(view.of(judgements))
    told = tuple(
        replace(point, saturated_because="the queue grew" if point.rate in saturated else None)
        for point in series.points
    )
    figure = request_rate.draw(replace(series, points=told), LIGHT)
    return figure, figure.axes[0]


def test_the_fit_and_both_constants() -> None:
    """On 10 W / rate + 2 J: the curve goes through the points, the legend has both with their errors."""
    figure, axes = rate_figure(12.0, 7.0, 4.5)
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert points(labelled(axes, "J/request")) == [(1, 12), (2, 7), (4, 4.5)]
    curve = points(labelled(axes, "fit: P_static / rate + E_dynamic"))
    assert curve[0] == pytest.approx((1.0, 12.0))
    assert curve[-1] == pytest.approx((4.0, 4.5))
    (said,) = [text for text in legend(axes) if text.startswith("fit")]
    assert "P_static = 10.000 \N{PLUS-MINUS SIGN} 0.037 W" in said
    assert "E_dynamic = 2000 \N{PLUS-MINUS SIGN} 24 mJ" in said
    assert "No rate is recorded as saturated." in flat(figure)


def test_saturated_rates_are_hollow_and_say_so() -> None:
    """They are drawn, not fitted: other shape, no fill, the word beside each and the reason below."""
    figure, axes = rate_figure(12.0, 7.0, 4.5, 9.0, saturated=[8.0])
    hollow, full = labelled(axes, "saturated"), labelled(axes, "J/request")
    assert points(hollow) == [(8.0, 9.0)]
    assert hollow.get_markerfacecolor() == "none"
    assert hollow.get_marker() != full.get_marker()
    assert [text.get_text() for text in axes.texts] == ["saturated"]
    assert max(x for x, _ in points(labelled(axes, "fit"))) == pytest.approx(4.0)
    assert "Saturated at 8/s: the queue grew." in flat(figure)


def test_no_fit_is_told() -> None:
    """Two rates are drawn without a curve, and it is said why."""
    figure, axes = rate_figure(12.0, 7.0)
    assert not any(text.startswith("fit") for text in legend(axes))
    assert "No fit: 2 different rates" in flat(figure)


def test_a_constant_below_zero_is_told() -> None:
    """A fit that means nothing is not passed off as one; its curve stops where it has no energy."""
    figure, axes = rate_figure(10.0, 4.0, 0.5)
    assert "A constant below 0 has no meaning" in flat(figure)
    assert "for the scatter that their uncertainties don't explain" in flat(figure)
    assert all(y > 0 for _, y in points(labelled(axes, "fit")))


# training beside inference


def pairs_figure(*judgements: Judgement) -> tuple[Figure, Axes]:
    (found,) = training_inference.pairs(view.of(judgements))
    figure = training_inference.draw(found, LIGHT)
    return figure, figure.axes[0]


def both(
    model: str, energy_j: float, parameters: float | None, *, idle_w: float | None = 2.0
) -> list[Judgement]:
    """A model with 16 samples a round, training at three times the joules of inference."""
    return [
        judgement(
            test_id=f"t.py::test_{group}[{model}]",
            energy_j=energy_j * factor,
            group=group,
            model=model,
            metrics={"parameters": parameters},
            absent={} if parameters is not None else {"parameters": "not counted"},
            idle_power_w=idle_w,
        )
        for group, factor in (("training", 3.0), ("inference", 1.0))
    ]


def test_models_by_parameters_gross_and_net() -> None:
    """Fewest parameters first, unknown last; gross and net joules a sample, filled and hollow."""
    figure, axes = pairs_figure(*both("big", 32.0, 2e6), *both("odd", 16.0, None), *both("small", 8.0, 1e5))
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "small\n100 k",
        "big\n2 M",
        "odd\nunknown",
    ]
    assert axes.get_xscale() == "log"
    gross, net = labelled(axes, "E_tr, training, gross"), labelled(axes, "E_tr, training, net")
    assert [x for x, _ in points(gross)] == [1.5, 6.0, 3.0]
    assert [x for x, _ in points(net)] == [1.375, 5.875, 2.875]
    assert gross.get_markerfacecolor() != net.get_markerfacecolor()
    assert gross.get_marker() != labelled(axes, "E_in, inference, gross").get_marker()
    assert bars(axes, "E_tr, training, gross")[0, :, 0].tolist() == pytest.approx([1.475, 1.525])
    assert is_within(figure)


def test_absent_net_and_absent_tests_are_told() -> None:
    """Net without idle power, net below idle, a lost test and one that isn't there: no mark, a sentence."""
    lost = judgement(
        test_id="t.py::test_training[c]",
        energy_j=None,
        verdict=Verdict.UNMEASURED,
        group="training",
        model="c",
    )
    figure, axes = pairs_figure(
        *both("a", 16.0, 1e5, idle_w=None),
        *both("b", 16.0, 1e6, idle_w=30.0),
        lost,
        *both("d", 16.0, 1e7)[1:],
    )
    said = flat(figure)
    assert "Without joules a sample: training of c (no sensor on this machine)." in said
    assert "No net joules in training, idle power is not known: a." in said
    assert "No more than idle in inference, so not on this axis: net of b." in said
    assert "Not in the run: training of d." in said
    assert "Not in the run: inference of c." in said
    assert [x for x, _ in points(labelled(axes, "E_tr, training, net"))] == [1.125]


def test_no_pair_no_figure() -> None:
    """One group alone, or joules of two provenances, are not side by side."""
    training, inference = both("a", 16.0, 1e5)
    estimated = judgement(group="inference", model="a", provenance=Provenance.ESTIMATED)
    assert training_inference.pairs(view.of([training])) == ()
    assert training_inference.pairs(view.of([training, estimated])) == ()
    assert len(training_inference.pairs(view.of([training, inference]))) == 1


# rounds


def rounds_figure(
    judged: Judgement, *, older: Sequence[Record] = (), tolerance: float | None = None
) -> tuple[Figure, Axes]:
    found = rounds.rounds_of(view.of([judged]).rows[0], sessions=older, tolerance=tolerance)
    assert not isinstance(found, str)
    figure = rounds.draw(found, LIGHT)
    return figure, figure.axes[0]


def test_rounds_level_bounds_and_tolerance() -> None:
    """Rounds, baseline, the band above it, and the level with the bounds of the comparison."""
    figure, axes = rounds_figure(
        judgement(compared=comparison(1.02), budget_j=13.0, round_count=3), tolerance=0.05
    )
    assert points(labelled(axes, "rounds of this run")) == [(1, 12.0), (2, 12.0), (3, 12.0)]
    assert labelled(axes, "baseline 12 J").get_ydata() == [12.0, 12.0]
    assert labelled(axes, "budget 13 J").get_ydata() == [13.0, 13.0]
    ((_, level),) = points(labelled(axes, "level of this run"))
    assert level == pytest.approx(12.24)
    assert bars(axes, "level of this run")[0, :, 1].tolist() == pytest.approx([0.99 * 12, 1.05 * 12])
    (band,) = [patch for patch in axes.patches if patch.get_label() == "tolerance +5 %"]
    assert band.get_path().get_extents(band.get_patch_transform()).y1 == pytest.approx(12.6)
    assert "The levels of the sessions are not in this run's JSON" in flat(figure)
    assert "The tolerance is not in this run's JSON" not in flat(figure)


def test_what_the_run_holds_is_drawn() -> None:
    """The run's own tolerance and its sessions' levels, where no others are given; nothing is lacking."""
    held = replace(comparison(1.02), tolerance=0.04, session_energies_j=(11.9, 12.1, 12.0))
    figure, axes = rounds_figure(judgement(compared=held))
    levels = [(1, 11.9), (2, 12.1), (3, 12.0)]
    assert points(labelled(axes, "levels of the baseline's sessions")) == levels
    assert points(labelled(axes, "rounds of this run"))[0] == (4, 12.0)
    assert [patch for patch in axes.patches if patch.get_label() == "tolerance +4 %"]
    assert "not in this run's JSON" not in flat(figure)
    _, axes = rounds_figure(judgement(compared=held), older=sessions(2), tolerance=0.1)
    assert points(labelled(axes, "rounds of the baseline's sessions")) == [(1, 10.0), (2, 11.0)]
    assert [patch for patch in axes.patches if patch.get_label() == "tolerance +10 %"]


def test_one_session_is_the_baseline() -> None:
    """The level of a single session is the baseline's: nothing is lacking."""
    figure, _ = rounds_figure(judgement(compared=comparison(1.02, session_count=1)), tolerance=0.05)
    assert "not in this run's JSON" not in flat(figure)


def test_a_tolerance_that_nobody_gave_is_not_drawn() -> None:
    """Of a run that doesn't hold it no band is invented; the figure says how to get one."""
    figure, axes = rounds_figure(judgement(compared=comparison(1.02, note="a CV of 3 % a round is assumed")))
    assert not any(str(patch.get_label()).startswith("tolerance") for patch in axes.patches)
    assert "The tolerance is not in this run's JSON; --tolerance draws its band." in flat(figure)
    assert "a CV of 3 % a round is assumed." in flat(figure)


def test_sessions_older_than_the_run() -> None:
    """Their rounds stand left of the run's; one accepted since is left out, and the change told."""
    late = replace(record(99.0), created="2027-01-01T00:00:00Z")
    figure, axes = rounds_figure(judgement(compared=comparison(1.02)), older=[*sessions(2), late])
    assert points(labelled(axes, "rounds of the baseline's sessions")) == [(1, 10.0), (2, 11.0)]
    assert points(labelled(axes, "rounds of this run"))[0] == (3, 12.0)
    assert [label.get_text() for label in axes.get_xticklabels()][:3] == ["S1", "S2", "1"]
    assert "has 2 sessions older than this run" in flat(figure)


def test_confirming_rounds_have_their_own_shape() -> None:
    """The second batch is told from the first."""
    judged = judgement(compared=comparison(1.1), verdict=Verdict.REGRESSION, round_count=6)
    judged = replace(judged, record=replace(judged.record, confirming_count=3))
    figure, axes = rounds_figure(judged)
    first, second = labelled(axes, "rounds of this run"), labelled(axes, "rounds that confirm")
    assert [x for x, _ in points(second)] == [4, 5, 6]
    assert first.get_marker() != second.get_marker()
    assert "REGRESSION: +10.0 % against the baseline" in flat(figure)


def test_rounds_are_the_joules_that_were_compared() -> None:
    """Net joules a sample: rounds, axis and sessions in those; a session without them is left out."""
    judged = judgement(compared=replace(comparison(energy_j=0.6), basis="net joules a sample"))
    _, axes = rounds_figure(judged, older=sessions(1))
    assert points(labelled(axes, "rounds of this run"))[0] == (1, 10.0 / 16)
    assert axes.get_ylabel() == "net J/sample"


def test_rounds_that_can_not_be_shown() -> None:
    """No comparison, a basis of a later version, net joules without idle power: the reason."""
    for judged, said in (
        (judgement(), "no baseline"),
        (judgement(compared=replace(comparison(), basis="joules a furlong")), "'joules a furlong'"),
        (judgement(compared=replace(comparison(), basis="net joules"), idle_power_w=None), "idle power"),
    ):
        found = rounds.rounds_of(view.of([judged]).rows[0], sessions=(), tolerance=None)
        assert isinstance(found, str)
        assert said in found


# head and page


def test_heading_names_machine_date_commit_and_rounds() -> None:
    """What a reader must know to place a figure; what is not recorded is said."""
    two = Machine(
        key="k",
        fixed={"gpu_model": "NVIDIA H100", "gpu_count": "2"},
        shown={"git_commit": "c3d65e191a9f", "git_dirty": "yes"},
    )
    some = [judgement(round_count=3), judgement(round_count=5, created="2026-11-22T01:00:00Z")]
    assert heading(two, some).split("   ") == [
        "2 x NVIDIA H100",
        "2026-11-21 to 2026-11-22",
        "commit c3d65e1 with changes",
        "3 to 5 rounds a test",
    ]
    bare = Machine(key="some-key")
    unmeasured = [judgement(energy_j=None, verdict=Verdict.UNMEASURED)]
    assert heading(bare, unmeasured).split("   ") == [
        "some-key",
        "2026-11-21",
        "commit not recorded",
        "no usable round",
    ]
    assert heading(bare, []).split("   ")[1] == "no date"
    assert heading(bare, [judgement(round_count=1)]).endswith("1 round a test")


@pytest.mark.parametrize("name", ["net", "W" * 300, "two\nlines \x1b[31m", "$x$ _ ^ \\frac"])
def test_nothing_leaves_the_page(name: str) -> None:
    """Whatever the models are called, title, notes and axes are on the page."""
    figure, *_ = sweep_figure(swept(name, 4, 80.0), swept(name, 8, None))
    assert is_within(figure)
    assert "\x1b" not in texts(figure)


def test_dark_figures_are_light_on_dark() -> None:
    """The other theme has its own paper and ink."""
    with styled(DARK):
        sweep = batch.sweeps(view.of([swept("v", 4, 80.0)]))[0]
        figure = batch_size.draw(sweep, DARK)
    assert figure.get_facecolor() == pytest.approx((0x0D / 255, 0x11 / 255, 0x17 / 255, 1.0))
    assert not figure.findobj(PathCollection)
    assert all(text.get_color() != LIGHT.ink for text in figure.texts)
