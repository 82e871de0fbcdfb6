"""Whether a server is on this machine, as far as can be detected here.

Rule 1: it is where every address of its name is a loopback or belongs to an interface of this machine.
Rule 2: an address beside that is elsewhere, also on a bridge of this machine: nothing tells from here whether
its other end is a container, a virtual machine or the network.
Rule 3: what listens at a port of this machine may hand on to another one. Programs that do nothing else are
known by name; of a proxy, and of a listener that this user can't see, it is said that it may be one.
"""

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule
from pytest_energy.serving.engines.processes import listener_names

if TYPE_CHECKING:
    import psutil
else:
    psutil = LazyModule("psutil")

# Their whole work is to listen here for a server that is not.
FORWARDERS = frozenset({"autossh", "cloudflared", "frpc", "kubectl", "oc", "plink", "ssh", "sshd"})

# They hand on too, as often to a server on the same machine.
PROXIES = frozenset(
    {
        "caddy",
        "docker-proxy",
        "envoy",
        "haproxy",
        "nginx",
        "rinetd",
        "socat",
        "stunnel",
        "stunnel4",
        "traefik",
    }
)

_ELSEWHERE = "is not on this machine, so it can't be measured here"
DOUBT = "the joules are the server's only if it is on this machine"
WAY_OUT = (
    "run `pytest-energy agent` beside it and name it: meter='http://HOST:PORT'. If the server uses "
    "channels of this machine all the same (a forwarded port, a container's own network), name them: "
    "channels=('gpu:0',)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where a server is.

    Attributes:
        elsewhere_because: Why it isn't here, or `None`.
        doubt: Why it may not be, or `None`.
    """

    elsewhere_because: str | None = None
    doubt: str | None = None

    @property
    def is_here(self) -> bool:
        return self.elsewhere_because is None

    @property
    def unseen_because(self) -> str | None:
        """Why the server's processes can't be seen from here, or `None`."""
        return self.doubt and self.doubt.removesuffix(f": {DOUBT}")

    def note(self, channels: Collection[str]) -> str | None:
        """What a reader of the server's joules should know, where *channels* are named as its own."""
        if channels and (self.elsewhere_because or self.doubt):
            return f"programs that have {', '.join(channels)} open before the first round count as the server"
        return self.doubt


def whereabouts(host: str, port: int, *, own: Collection[str] | None = None) -> Whereabouts:
    """Where the server at *host* is.

    Args:
        host: Name or number.
        port: At which it listens.
        own: Addresses of this machine's interfaces; asked for if `None`.
    """
    own = own_addresses() if own is None else own
    if not _is_own_name(host, port, own):
        return Whereabouts(elsewhere_because=f"the server at {host} {_ELSEWHERE}")
    names = listener_names(port)
    if forwarders := sorted(names & FORWARDERS):
        program = forwarders[0]
        server = f"{program} listens at {host}:{port} for a server that"
        return Whereabouts(elsewhere_because=f"{server} {_ELSEWHERE}")
    if proxies := sorted(names & PROXIES):
        return Whereabouts(doubt=f"{proxies[0]} listens at port {port} and forwards requests: {DOUBT}")
    if names:
        return Whereabouts()
    who = (
        f"the process that listens at port {port} can't be identified (another user, a container or a tunnel)"
    )
    return Whereabouts(doubt=f"{who}: {DOUBT}")


def note_of_meter(server: str, meter: str, channels: Collection[str]) -> str:
    """What a reader should know of joules that an agent at *meter* reads for the server at *server*."""
    devices = ", ".join(channels) or "its devices"
    taken = f"programs at the meter that have {devices} open before the first round count as the server"
    return "; ".join(filter(None, (taken, why_apart(server, meter))))


def why_apart(server: str, meter: str, *, own: Collection[str] | None = None) -> str | None:
    """Why the hosts *server* and *meter* may be two machines, or `None`.

    That they are one can't be known from here: an address may be of a container, or lead on.
    """
    own = own_addresses() if own is None else own
    servers, meters = _addresses(server, own), _addresses(meter, own)
    if servers & meters:
        return None
    return (
        f"the meter is at {meter}, the server at {server}: its joules are the server's only if both are one "
        "machine"
    )


def _addresses(host: str, own: Collection[str]) -> frozenset[str]:
    """The addresses of *host*; all of this machine's are one."""
    try:
        found = {str(where[0]) for *_, where in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return frozenset({host})
    return frozenset("here" if is_own(address, own) else _plain(address) for address in found)


def own_addresses() -> frozenset[str]:
    """The addresses of this machine's interfaces."""
    interfaces = psutil.net_if_addrs().values()
    families = {socket.AF_INET, socket.AF_INET6}
    return frozenset(
        _plain(one.address) for interface in interfaces for one in interface if one.family in families
    )


def is_own(address: str, own: Collection[str]) -> bool:
    """Whether *address*, a number, is this machine's."""
    number = ipaddress.ip_address(_plain(address))
    return number.is_loopback or number.is_unspecified or str(number) in own


def _plain(address: str) -> str:
    """*address* without its zone, and as IPv4 where it is one in IPv6's clothes."""
    number = ipaddress.ip_address(address.partition("%")[0])
    return str(getattr(number, "ipv4_mapped", None) or number)


def _is_own_name(host: str, port: int, own: Collection[str]) -> bool:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return all(is_own(str(where[0]), own) for *_, where in found)
