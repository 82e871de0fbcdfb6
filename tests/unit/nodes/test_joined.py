"""The readings of several machines as one."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.protocol import OpenPhase, StagedWindow
from pytest_energy.model import Domain, Phase, Provenance, Reading
from pytest_energy.nodes.joined import JoinedMeter, joined_reading, node_name
from pytest_energy.usage import DeviceUse, Usage
from tests.builders import reading
from tests.fakes.meter import BURST, Bench, edge_meter, started, why_void


def _names(node: str) -> Callable[[str], str]:
    return str if node == "a" else (lambda name: f"{name}@{node}")


def _joined(**readings: Reading) -> Reading:
    return joined_reading(readings, Provenance.MEASURED, _names)


class TestWindows:
    """Two simulated machines, each with a clock and a device of its own."""

    def test_the_joules_of_both_are_in_one_reading(self) -> None:
        """Each node's joules are its own truth; the channel of the other node has its name."""
        benches = {"a": started(quiet_w=75.0), "b": started(quiet_w=120.0)}
        meter = JoinedMeter({node: bench.meter for node, bench in benches.items()}, here="a")
        window = meter.open("test")
        starts_s = {node: bench.clock.now_s() for node, bench in benches.items()}
        benches["a"].device.work([(1.0, 700.0)])
        benches["b"].device.work([(1.0, 300.0)])
        reading = window.close()
        truths_j = {
            node: bench.device.joules_between(starts_s[node], starts_s[node] + 1.0)
            for node, bench in benches.items()
        }
        assert reading.channels == pytest.approx({"gpu:0": truths_j["a"], "gpu:0@b": truths_j["b"]}, rel=0.01)
        assert reading.channels == pytest.approx({"gpu:0": 700.0, "gpu:0@b": 300.0}, rel=0.01)
        assert reading.duration_s == pytest.approx(1.0, abs=1e-6)

    def test_the_start_is_that_of_the_first_node(self) -> None:
        """The power of each node is over seconds since its own start, a moment after the first."""
        one = replace(reading(), start_unix_s=1.8e9)
        assert _joined(a=one, b=replace(one, start_unix_s=1.8e9 + 0.01)).start_unix_s == 1.8e9

    def test_no_node_waits_inside_another_nodes_window(self) -> None:
        """Both begin when both are quiet, and both end before either waits for its last ticks."""
        order: list[str] = []
        meter = JoinedMeter({"a": _Noted("a", order), "b": _Noted("b", order)})
        meter.open("test").close()
        assert order == [
            *("a stage", "b stage", "a get_ready", "b get_ready", "a start", "b start"),
            *("a stop", "b stop", "a end_watch", "b end_watch", "a close", "b close"),
        ]

    def test_a_phase_is_one_on_all_nodes(self) -> None:
        """Its joules are the sum of the nodes'."""
        benches = {"a": started(), "b": started()}
        meter = JoinedMeter({node: bench.meter for node, bench in benches.items()}, here="a")
        window = meter.open("test")
        phase = window.phase("step", samples=3)
        for bench in benches.values():
            bench.device.work([(2.0, 500.0)])
        phase.close()
        (joined,) = window.close().phases
        assert (joined.name, joined.samples) == ("step", 3)
        assert joined.energy_j == pytest.approx(2000.0, rel=0.05)
        assert joined.channels.keys() == {"gpu:0", "gpu:0@b"}

    def test_a_node_without_a_reading_makes_the_whole_void(self) -> None:
        """A counter that fails on one node leaves no joules of the others, and the node is named."""
        good, bad = started(), started()
        meter = JoinedMeter({"a": good.meter, "node-7": bad.meter}, here="a")
        window = meter.open("test")
        good.device.work((BURST,))
        bad.counters[0].is_stuck = True
        bad.device.work([(1.0, 500.0)])
        reading = window.close()
        assert why_void(reading).startswith("node-7: gpu:0")
        assert reading.channels == {}
        assert reading.energy_j is None

    def test_a_domain_that_one_node_lacks_makes_the_whole_void(self) -> None:
        """A node whose CPU nothing measures isn't left out of the sum of the CPUs."""
        cpu, gpu = Bench(), started()
        meter = JoinedMeter({"a": edge_meter(cpu), "b": gpu.meter}, here="a")
        window = meter.open("test", domains=frozenset({Domain.CPU}))
        cpu.clock.sleep_s(1.0)
        gpu.clock.sleep_s(1.0)
        assert why_void(window.close()) == "b: no channel of the domains cpu here; this run measures gpu:0"


class TestMeter:
    def test_names_idle_power_and_devices_are_those_of_all(self) -> None:
        """Channels of another node have its name wherever they are shown."""
        a, b = started(quiet_w=75.0), started(quiet_w=120.0)
        meter = JoinedMeter({"a": a.meter, "b": b.meter}, here="a")
        assert meter.idle_power_w() == pytest.approx({"gpu:0": 75.0, "gpu:0@b": 120.0}, rel=0.01)
        assert [(one.name, one.channels) for one in meter.statuses()] == [
            ("simulated", ("gpu:0",)),
            ("simulated@b", ("gpu:0@b",)),
        ]
        assert meter.devices(None) == ("device-of-gpu:0",)

    def test_a_meter_of_other_machines_alone_names_all(self) -> None:
        """Without a meter of this machine no channel has a bare name."""
        meter = JoinedMeter({"a": started().meter, "b": started().meter})
        assert [one.channels for one in meter.statuses()] == [("gpu:0@a",), ("gpu:0@b",)]

    def test_processes_are_adopted_on_this_machine(self) -> None:
        """A pid means something on its own machine only."""
        a, b = started(), started()
        JoinedMeter({"a": a.meter, "b": b.meter}, here="a").adopt([17])
        assert (a.system.is_kin(17), b.system.is_kin(17)) == (True, None)

    def test_the_node_that_cannot_measure_is_named(self) -> None:
        """A node without a sensor is a reason, and not a smaller sum."""
        meter = JoinedMeter({"a": started().meter, "b": Bench().meter_over()}, here="a")
        assert meter.why_unmeasured("test") == "b: no sensor on this machine"

    def test_provenances_are_not_mixed(self) -> None:
        """Measured and estimated joules have no sum."""
        with pytest.raises(NotMeasurable, match=r"never mixed: a \(measured\), b \(estimated\)"):
            JoinedMeter({"a": started().meter, "b": edge_meter(Bench(), Provenance.ESTIMATED)})

    @pytest.mark.parametrize("names", [(), ("a\x1b[31m",), ("",)])
    def test_a_name_is_plain(self, names: tuple[str, ...]) -> None:
        """A host's name comes from outside: it gets into channel names, file names and the terminal."""
        with pytest.raises(NotMeasurable, match="plain names"):
            JoinedMeter({name: started().meter for name in names})

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("gpu-7.cluster", "gpu-7.cluster"),
            ("a@b:c d", "a-b-c-d"),
            ("x" * 99, "x" * 63),
            ("\x00", "unnamed"),
        ],
    )
    def test_any_text_makes_a_plain_name(self, text: str, name: str) -> None:
        """Whatever a machine says of itself, its name is one."""
        assert node_name(text) == name
        assert node_name(name) == name


class TestReadings:
    def test_sums_uncertainty_and_renamed_values(self) -> None:
        """Joules add up, uncertainties as independent ones, and values by channel keep their node."""
        a = replace(
            reading(channels={"gpu:0": 10.0}),
            uncertainty_j=3.0,
            quality=("warm",),
            usage=Usage(cpu_utilisation_share=0.2, ram_used_bytes=1.0),
            temperatures_c={"gpu:0": 40.0},
            device_use={"gpu:0": DeviceUse.BUSY},
        )
        b = replace(
            a, channels={"gpu:0": 5.0}, uncertainty_j=4.0, usage=Usage(cpu_utilisation_share=0.4), quality=()
        )
        joined = _joined(a=a, b=b)
        assert (joined.energy_j, joined.uncertainty_j) == (15.0, 5.0)
        assert joined.quality == ("a: warm",)
        assert joined.temperatures_c == {"gpu:0": 40.0, "gpu:0@b": 40.0}
        assert joined.device_use.keys() == {"gpu:0", "gpu:0@b"}
        assert joined.usage is not None
        assert joined.usage.cpu_utilisation_share == pytest.approx(0.3)
        assert joined.usage.ram_used_bytes is None

    def test_a_phase_without_joules_on_one_node_has_none(self) -> None:
        """The sum of a phase is never smaller by a node; the node's reason stays."""
        known = Phase(name="x", energy_j=1.0, uncertainty_j=0.1, duration_s=1.0, channels={"gpu:0": 1.0})
        unknown = Phase(name="x", energy_j=None, uncertainty_j=None, duration_s=1.0, quality=("too short",))
        (phase,) = _joined(
            a=replace(reading(channels={"gpu:0": 2.0}), phases=(known,)),
            b=replace(reading(channels={"gpu:0": 2.0}), phases=(unknown,)),
        ).phases
        assert (phase.energy_j, phase.uncertainty_j, phase.quality) == (None, None, ("b: too short",))

    def test_the_first_void_part_is_the_reason(self) -> None:
        """A void part leaves a void whole, whatever the order."""
        void = reading(channels={}, void_because="the agent was lost")
        for readings in ({"a": void, "b": reading()}, {"b": reading(), "a": void}):
            assert why_void(_joined(**readings)) == "a: the agent was lost"


class _Noted(LiveMeter):
    """A meter, and its window, that note what is asked of them."""

    def __init__(self, name: str, order: list[str]) -> None:
        self.provenance = Provenance.MEASURED
        self._name, self._order = name, order

    def _note(self, what: str) -> None:
        self._order.append(f"{self._name} {what}")

    def stage(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> StagedWindow:
        del test_id, domains
        self._note("stage")
        return _NotedWindow(self._note)


class _NotedWindow:
    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def get_ready(self) -> None:
        self._note("get_ready")

    def start(self) -> None:
        self._note("start")

    def stop(self) -> None:
        self._note("stop")

    def end_watch(self) -> None:
        self._note("end_watch")

    def abandon(self, because: str) -> None:
        self._note(f"abandon {because}")

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        raise NotImplementedError

    def close(self) -> Reading:
        self._note("close")
        return reading()
