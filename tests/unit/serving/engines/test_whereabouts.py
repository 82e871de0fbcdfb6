"""Where a server is: by its addresses, and by who listens."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_energy.serving.engines.whereabouts import (
    DOUBT,
    Whereabouts,
    is_own,
    own_addresses,
    whereabouts,
    why_apart,
)

LISTEN = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
input()
"""
OWN = {"192.168.1.5", "fe80::1", "2001:db8::5"}


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("127.0.0.1", "here"),
        ("127.1.2.3", "here"),
        ("::1", "here"),
        ("0.0.0.0", "here"),  # noqa: S104  # nothing is bound to it
        ("::", "here"),
        ("::ffff:127.0.0.1", "here"),
        ("192.168.1.5", "here"),
        ("::ffff:192.168.1.5", "here"),
        ("fe80::1%eth0", "here"),
        ("2001:db8:0::5", "here"),
        ("192.168.1.6", "elsewhere"),
        ("172.17.0.2", "elsewhere"),
        ("10.0.0.1", "elsewhere"),
        ("fe80::2%eth0", "elsewhere"),
        ("8.8.8.8", "elsewhere"),
    ],
)
def test_an_address_is_ours_or_not(address: str, place: str) -> None:
    """Loopbacks and those of our interfaces; a neighbour on our own network is another machine."""
    assert is_own(address, OWN) is (place == "here")


def test_the_interfaces_hold_the_loopback() -> None:
    """As this machine has it."""
    assert "127.0.0.1" in own_addresses()


def test_a_listener_of_this_process_is_here() -> None:
    """By number and by name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost", "2130706433"):
            place = whereabouts(host, server.getsockname()[1])
            assert (place.is_here, place.doubt) == (True, None)


@pytest.mark.parametrize("host", ["192.0.2.7", "no-such-host.invalid"])
def test_another_machine_is_elsewhere(host: str) -> None:
    """And so is a name that nobody knows."""
    place = whereabouts(host, 80)
    assert (
        place.elsewhere_because
        == f"the server at {host} is not on this machine, so it can't be measured here"
    )


def test_a_port_without_a_visible_listener_is_in_doubt() -> None:
    """Another user's process looks like nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    place = whereabouts("127.0.0.1", port)
    assert place.is_here
    assert place.doubt is not None
    assert place.doubt.startswith(f"the process that listens at port {port} can't be identified")
    assert place.unseen_because == place.doubt.removesuffix(f": {DOUBT}") != place.doubt


def place_of(program: str, folder: Path) -> tuple[int, Whereabouts]:
    """Where a server is at whose port a program of this name listens."""
    path = folder / program
    path.symlink_to(Path(sys.executable).resolve())
    with subprocess.Popen(  # noqa: S603  # our own script
        [path, "-c", LISTEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        place = whereabouts("127.0.0.1", port)
        process.communicate("\n")
    return port, place


def test_with_named_channels_what_is_on_them_is_the_servers() -> None:
    """Its processes aren't known; where they are, and where no channel is named, that isn't said."""
    taken = "programs that have gpu:0 open before the first round count as the server"
    for place in (Whereabouts(elsewhere_because="far"), Whereabouts(doubt="a proxy")):
        assert place.note(("gpu:0",)) == taken
        assert place.note(()) == place.doubt
    assert Whereabouts().note(("gpu:0",)) is None


needs_names = pytest.mark.skipif(
    not Path("/proc/self/exe").exists(), reason="a program's name is that of its file on Linux"
)


@needs_names
def test_a_tunnel_is_known_by_the_program_that_listens(tmp_path: Path) -> None:
    """ssh and its like have no work of their own."""
    port, place = place_of("ssh", tmp_path)
    assert place.elsewhere_because == (
        f"ssh listens at 127.0.0.1:{port} for a server that is not on this machine, so it can't be measured "
        f"here"
    )


@needs_names
def test_a_proxy_is_in_doubt(tmp_path: Path) -> None:
    """Where it hands on to can't be seen."""
    port, place = place_of("nginx", tmp_path)
    assert place.is_here
    assert place.doubt is not None
    assert place.doubt.startswith(
        f"nginx listens at port {port} and forwards requests: the joules are the server's only"
    )


@pytest.mark.parametrize(
    ("server", "meter", "is_apart"),
    [
        ("127.0.0.1", "localhost", False),
        ("127.0.0.1", "192.168.1.5", False),
        ("10.0.0.1", "10.0.0.1", False),
        ("10.0.0.1", "10.0.0.2", True),
        ("127.0.0.1", "10.0.0.2", True),
    ],
)
def test_a_meter_at_another_address_may_be_of_another_machine(
    server: str, meter: str, *, is_apart: bool
) -> None:
    """Addresses of this machine are one machine; of two others nobody knows, and the note says so."""
    because = why_apart(server, meter, own={"192.168.1.5"})
    assert (because is not None) is is_apart
    if because is not None:
        assert because == (
            f"the meter is at {meter}, the server at {server}: its joules are the server's only if both are "
            "one machine"
        )
