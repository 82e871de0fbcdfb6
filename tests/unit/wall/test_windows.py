"""The windows of a run that a meter is compared with: their joules, and which are left out."""

from dataclasses import replace

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Reading
from pytest_energy.report import view
from pytest_energy.wall.windows import (
    NO_STEPS,
    NO_TIME,
    OTHER_CHANNELS,
    OVERLAPPING,
    VOID,
    RunPower,
    power_of,
)
from pytest_energy.yardstick import Yardstick
from tests.builders import judgement, reading, record

STEPS = ((0.1, 100.0), (0.5, 300.0), (0.9, 300.0))  # 40 J and 120 J


def at(start_unix_s: float | None, one: Reading | None = None) -> Reading:
    return replace(one or reading(200.0), start_unix_s=start_unix_s)


def run(*rounds: Reading, output_tokens: int | None = None) -> Judgement:
    made = judgement()
    return replace(made, record=replace(made.record, rounds=rounds, output_tokens=output_tokens))


def power(*rounds: Reading, output_tokens: int | None = None) -> RunPower:
    return power_of(view.of([run(*rounds, output_tokens=output_tokens)]))


def test_all_joules_of_a_window_are_in_its_steps() -> None:
    """What the steps leave out beside the edges has the rest: 200 J less 160 J, in 0.2 s."""
    (window,) = power(at(1e9, replace(reading(200.0), power_trace={"gpu:0": STEPS}))).windows
    times_s, powers_w = zip(*window.known.steps, strict=True)
    assert times_s == pytest.approx([1e9, 1e9 + 0.1, 1e9 + 0.5, 1e9 + 0.9, 1e9 + 1], abs=1e-6)
    assert powers_w == pytest.approx([200.0, 100.0, 300.0, 200.0, 200.0])
    assert window.known.energy_j == pytest.approx(200.0, abs=1e-4)


def test_a_window_of_several_calls_has_the_joules_of_all() -> None:
    """Joules and seconds of a round are of one call, the steps of the whole window."""
    whole = replace(reading(200.0), power_trace={"gpu:0": STEPS})
    (window,) = power(at(0.0, whole.for_one_of(4))).windows
    assert [window.known.energy_j, window.known.stop_s] == pytest.approx([200.0, 1.0])


def test_a_channel_without_steps_has_its_mean_power() -> None:
    """RAPL is read at the edges alone: its joules over the seconds, added to the steps of the GPU."""
    both = reading(channels={"gpu:0": 200.0, "cpu:package-0": 50.0})
    found = power(at(0.0, replace(both, power_trace={"gpu:0": STEPS})))
    assert found.channels == ("cpu:package-0", "gpu:0")
    assert found.windows[0].known.energy_j == pytest.approx(250.0)
    powers_w = [power_w for _, power_w in found.windows[0].known.steps]
    assert powers_w == pytest.approx([250.0, 150.0, 350.0, 250.0, 250.0])


def test_the_uncertainty_is_of_the_mean_power() -> None:
    """Joules over seconds."""
    (window,) = power(at(0.0, reading(200.0, duration_s=2.0, uncertainty_j=3.0))).windows
    assert window.known.uncertainty_w == 1.5


def test_windows_are_in_order_and_of_the_yardstick_too() -> None:
    """Its fixed loads are at other powers than the tests."""
    loads = Yardstick(records=(record(rounds=[at(5.0)], test_id="yardstick"),))
    found = power_of(view.of([run(at(20.0), at(10.0))], yardstick=loads))
    assert [window.known.start_s for window in found.windows] == [5.0, 10.0, 20.0]
    assert found.windows[0].test_id == "yardstick"
    assert found.provenances == {Provenance.MEASURED}


@pytest.mark.parametrize(
    ("odd", "because"),
    [
        (at(None), NO_TIME),
        (at(1e300), NO_TIME),
        (at(50.0, reading(void_because="thermal slowdown")), VOID),
        (at(50.0, reading(channels={"cpu:package-0": 9.0})), OTHER_CHANNELS),
        (at(10.5), OVERLAPPING),
    ],
)
def test_what_is_left_out_is_counted(odd: Reading, because: str) -> None:
    """With its reason; the others are used."""
    found = power(at(10.0), at(20.0), odd)
    assert [window.known.start_s for window in found.windows] == [10.0, 20.0]
    assert found.left_out == {because: 1}


def test_a_load_counted_in_part_has_its_steps_alone() -> None:
    """Its joules are scaled: the power of the whole window is known by its steps, and else not at all."""
    traced = replace(reading(9999.0), power_trace={"gpu:0": STEPS})
    found = power(at(10.0, traced), at(20.0), output_tokens=128)
    (window,) = found.windows
    assert window.known.energy_j == pytest.approx(160.0)
    assert found.left_out == {NO_STEPS: 1}
