"""Counters that several nodes have in common."""

from dataclasses import replace

from pytest_energy.nodes.own_counters import own_counters
from tests.fakes.ray_cluster import channel, description

GPU = channel("gpu:0", "GPU-1")
PACKAGE = channel("cpu:package-0", "package-0")


class TestOwnCounters:
    """No joule counts twice, and none is left out."""

    def test_one_machines_counters_are_read_once(self) -> None:
        """The first node of a machine reads them; a node without any left is none."""
        one = description(GPU, PACKAGE, boot_id="boot")
        own = own_counters({"a": one, "b": replace(one, agent_id="two")})
        assert {node: d.channels for node, d in own.items()} == {"a": (GPU, PACKAGE)}

    def test_a_gpu_is_known_by_its_uuid(self) -> None:
        """Nodes of one machine may have another first GPU each."""
        other = channel("gpu:0", "GPU-2")
        own = own_counters({"a": description(GPU, boot_id="boot"), "b": description(other, boot_id="boot")})
        assert {node: d.channels for node, d in own.items()} == {"a": (GPU,), "b": (other,)}

    def test_packages_of_other_machines_are_others(self) -> None:
        """Every machine has a package-0."""
        own = own_counters(
            {"a": description(PACKAGE, boot_id="boot"), "b": description(PACKAGE, boot_id="other")}
        )
        assert {node: d.channels for node, d in own.items()} == {"a": (PACKAGE,), "b": (PACKAGE,)}

    def test_what_shares_a_device_on_one_node_is_kept(self) -> None:
        """A package and its memory are two counters."""
        memory = channel("dram:package-0", "package-0")
        own = own_counters({"a": description(PACKAGE, memory, boot_id="boot")})
        assert own["a"].channels == (PACKAGE, memory)

    def test_statuses_have_the_channels_that_are_left(self) -> None:
        """A sensor of which nothing is left isn't shown as one that measures."""
        one = description(GPU, boot_id="boot")
        both = description(GPU, PACKAGE, boot_id="boot")
        assert own_counters({"a": one, "b": both})["b"].statuses[0].channels == ("cpu:package-0",)

    def test_a_node_that_measures_nothing_stays(self) -> None:
        """It has to say why, so that its joules aren't missed silently."""
        assert own_counters({"a": description(boot_id="boot")})["a"].channels == ()
