"""TDP by a processor's name."""

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.sensors.machine_class import MachineClass
from pytest_energy.sensors.tdp import _TDP_TABLE, find_tdp


def test_a_server_s_virtual_machine_gets_its_share_of_the_tdp() -> None:
    """4 of the 128 threads of a 280 W processor have 8.75 W; the source names the table's row."""
    tdp = find_tdp("AMD EPYC 7763 64-Core Processor", 4, None)
    assert tdp.power_w == pytest.approx(280 * 4 / 128)
    assert tdp.source == "table (EPYC 7763: 280 W for 128 threads)"
    assert tdp.is_known


def test_two_sockets_have_twice_the_tdp() -> None:
    """All threads of two sockets have the TDP of both."""
    assert find_tdp("Intel(R) Xeon(R) Platinum 8480+", 224, None).power_w == 700.0


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Xeon E5-2680 v4"),
        ("Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz", "Core i9-9900K"),
        ("13th Gen Intel(R) Core(TM) i9-13900K", "Core i9-13900K"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "Ryzen 9 5950X"),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", "Xeon Gold 6248R"),
    ],
)
def test_names_are_found_as_the_kernel_writes_them(model: str, row: str) -> None:
    """Trademark signs, the word CPU and clock rates don't hide a model."""
    assert find_tdp(model, 1, None).source.startswith(f"table ({row}:")


@pytest.mark.parametrize(
    ("model", "power_w"),
    [
        ("12th Gen Intel(R) Core(TM) i7-1260P", 28.0),
        ("Intel(R) Core(TM) i5-8250U CPU @ 1.60GHz", 15.0),
        ("Intel(R) Core(TM) Ultra 7 155H", 45.0),
        ("AMD Ryzen 7 PRO 6850U with Radeon Graphics", 15.0),
        ("AMD Ryzen 7 7840HS w/ Radeon 780M Graphics", 35.0),
        ("AMD Ryzen 5 5600X 6-Core Processor", 105.0),
        ("Intel(R) Core(TM) i5-12400F", 65.0),
        ("Intel(R) Core(TM) i7-6700 CPU @ 3.40GHz", 65.0),
    ],
)
def test_the_letters_after_the_number_tell_the_line(model: str, power_w: float) -> None:
    """A model that isn't in the table has what its line usually has: of the whole processor."""
    tdp = find_tdp(model, 8, None, MachineClass.LAPTOP)
    assert (tdp.power_w, tdp.is_known) == (power_w, True)
    assert tdp.source.startswith("usual for models ")


def test_letters_say_nothing_in_a_virtual_machine() -> None:
    """Which part of the processor's threads it has is not known there."""
    assert not find_tdp("Intel(R) Core(TM) i7-10700 CPU", 2, None, MachineClass.VIRTUAL).is_known


@pytest.mark.parametrize(
    "model", ["AMD EPYC", "AMD EPYC 77631", "Intel(R) Core(TM) i9-9900QQ", "Core i7-1065G7", "unknown", ""]
)
@pytest.mark.parametrize(
    ("kind", "power_w"),
    [(MachineClass.UNKNOWN, 7.0), (MachineClass.LAPTOP, 3.8), (MachineClass.DESKTOP, 10.8)],
)
def test_an_unknown_model_gets_the_named_default(model: str, kind: MachineClass, power_w: float) -> None:
    """A model that isn't known, or only begins like one that is, gets its kind's default, which says so."""
    tdp = find_tdp(model, 2, None, kind)
    assert tdp.power_w == pytest.approx(power_w)
    assert not tdp.is_known
    assert tdp.source.startswith("generic default")


def test_an_override_wins_over_the_table() -> None:
    """The TDP that the user gives is for all CPUs together, and is named as theirs."""
    tdp = find_tdp("AMD EPYC 7763 64-Core Processor", 4, 15.0)
    assert (tdp.power_w, tdp.source, tdp.is_known) == (15.0, "override (energy_cpu_tdp_w)", True)


@pytest.mark.parametrize("cpu_tdp_w", [0.0, -5.0, float("nan"), float("inf")])
def test_an_override_that_is_no_power_is_refused(cpu_tdp_w: float) -> None:
    """A TDP of 0, less, or no number is a `SettingsError` with the value."""
    with pytest.raises(SettingsError, match=f"energy_cpu_tdp_w is {cpu_tdp_w}"):
        find_tdp("any", 1, cpu_tdp_w)


def test_the_table_holds_each_model_once_with_plausible_watts() -> None:
    """Names are unique, and each thread has between 1 and 16 W."""
    names = [name for name, _power_w, _threads in _TDP_TABLE]
    assert len(set(names)) == len(names)
    for name, power_w, threads in _TDP_TABLE:
        assert 1.0 < power_w / threads < 16.0, name
