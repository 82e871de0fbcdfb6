"""Several nodes as one machine."""

import itertools

import pytest

from pytest_energy.baselines.machine import check_comparable
from pytest_energy.baselines.topology import KEY_LENGTH, channels_text, joined_machine, with_ranks
from pytest_energy.errors import NotComparable
from pytest_energy.model import Machine
from tests.builders import reading, record

H100 = Machine(
    key="4x-h100-80gb-hbm3_xeon-8480+_nvml", fixed={"cpu_model": "Xeon"}, varying={"torch": "2.11"}
)
T4 = Machine(key="tesla-t4_epyc_nvml", fixed={"cpu_model": "EPYC"}, varying={"torch": "2.10"})


def test_equal_nodes_are_counted() -> None:
    """Three equal nodes are one key with their number, and facts that are the same stay as they are."""
    joined = joined_machine([H100, H100, H100])
    assert joined.key == "3-nodes_4x-h100-80gb-hbm3_xeon-8480+_nvml"
    assert joined.fixed == {"cpu_model": "Xeon", "nodes": "3x 4x-h100-80gb-hbm3_xeon-8480+_nvml"}
    assert joined.varying == {"torch": "2.11"}


def test_the_order_of_nodes_does_not_matter() -> None:
    """Whatever order a scheduler lists them in, it is the same machine."""
    machines = [H100, T4, H100]
    assert len({str(joined_machine(order)) for order in itertools.permutations(machines)}) == 1
    joined = joined_machine(machines)
    assert joined.key == "2-nodes_4x-h100-80gb-hbm3_xeon-8480+_nvml_1-node_tesla-t4_epyc_nvml"
    assert joined.fixed["cpu_model"] == "EPYC, 2x Xeon"


def test_another_number_of_nodes_is_another_machine() -> None:
    """Two nodes and three have other keys and other facts."""
    two, three = joined_machine([H100] * 2), joined_machine([H100] * 3)
    assert two.key != three.key
    assert two.fixed != three.fixed


def test_one_node_is_itself() -> None:
    """Baselines of one machine stay what they are."""
    assert joined_machine([H100]) is H100


def test_a_key_is_short_and_still_its_own() -> None:
    """Many kinds of nodes make a key that is cut, with a digest that separates it from another."""
    machines = [Machine(key=f"node-kind-{number:03d}-with-a-long-name") for number in range(40)]
    keys = {joined_machine(machines).key, joined_machine(machines[:-1]).key}
    assert len(keys) == 2
    assert all(len(key) <= KEY_LENGTH for key in keys)


@pytest.mark.parametrize(
    ("ranks", "fact", "end"), [([4], "4", "_4-ranks"), ([4, 4], "8: 2x 4", "_8-ranks"), ([1], "1", "_1-rank")]
)
def test_ranks_are_a_fact(ranks: list[int], fact: str, end: str) -> None:
    """Four processes on a machine are another machine than one process."""
    machine = with_ranks(H100, ranks)
    assert machine.fixed["ranks"] == fact
    assert machine.key == H100.key + end


def test_channels_of_nodes_are_counted_by_their_own_names() -> None:
    """Which host a channel is on is no difference; how many hosts is."""
    assert channels_text({"gpu:0", "gpu:1"}) == "gpu:0, gpu:1"
    assert channels_text({"gpu:0", "gpu:0@x", "gpu:1@x"}) == "2x gpu:0, gpu:1"
    assert channels_text(()) == "none"


def test_other_hosts_are_comparable_and_fewer_are_not() -> None:
    """A job that got other hosts today is compared with yesterday's; one with a node less isn't."""
    yesterday = record(rounds=[reading(channels={"gpu:0": 1.0, "gpu:0@x": 1.0})])
    today = record(rounds=[reading(channels={"gpu:0": 1.0, "gpu:0@y": 1.0})])
    check_comparable(yesterday, today)
    with pytest.raises(NotComparable, match="channels"):
        check_comparable(yesterday, record(rounds=[reading(channels={"gpu:0": 1.0})]))
