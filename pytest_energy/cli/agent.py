"""`pytest-energy agent`: measures this machine for test runs elsewhere."""

import argparse
import asyncio
import gc
import sys
from pathlib import Path

from pytest_energy.cli import arguments
from pytest_energy.cli.arguments import Commands
from pytest_energy.errors import SettingsError, printable, printable_lines
from pytest_energy.remote import server
from pytest_energy.remote.here import agent_here
from pytest_energy.remote.private_file import read_token, write_new_token
from pytest_energy.remote.protocol import AgentDescription
from pytest_energy.sensors.detect import builtin_openers
from pytest_energy.spelling import did_you_mean

DEFAULT_PORT = 8365

# Threads hand over to one another after 5 ms by default. A busy client would make the ticks of counters
# uncertain by as much.
_SWITCH_S = 5e-4


def register(commands: Commands) -> None:
    agent = commands.add_parser(
        "agent",
        help="measure this machine for test runs elsewhere",
        description="Read the energy counters of this machine and serve them over HTTP, to tests that "
        "measure a server here (`meter=`) and to Prometheus (/metrics), until SIGTERM or Ctrl-C.",
        epilog="Exit status: 0 if it was stopped, 2 if it can't start. Needs: pip install "
        "'pytest-energy[agent]'",
    )
    agent.add_argument(
        "--bind",
        type=_place,
        default=("127.0.0.1", DEFAULT_PORT),
        metavar="HOST:PORT",
        help=f"where to listen; default: 127.0.0.1:{DEFAULT_PORT}. Port 0 takes a free one",
    )
    agent.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="file with the token that every request must have; other users must not be able to read it. "
        "Required if other machines can reach HOST",
    )
    agent.add_argument(
        "--new-token", type=Path, metavar="FILE", help="write a new random token to FILE, and end"
    )
    agent.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="serve HTTPS with this certificate chain (PEM)"
    )
    agent.add_argument("--tls-key", type=Path, metavar="FILE", help="the certificate's key (PEM)")
    agent.add_argument(
        "--sensors",
        type=_sensors,
        metavar="NAMES",
        help="sensors to read, separated by commas, such as nvml,rapl; default: auto, all that measure, or "
        "the estimate if none does",
    )
    agent.add_argument(
        "--cpu-tdp",
        type=arguments.watts,
        metavar="WATTS",
        help="TDP of all CPUs of this machine, for the estimate",
    )
    agent.set_defaults(run=_agent)


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise argparse.ArgumentTypeError("must be HOST:PORT, such as 0.0.0.0:8365 or [::1]:8365")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _sensors(text: str) -> tuple[str, ...] | None:
    if text == "auto":
        return None
    names, known = tuple(name.strip() for name in text.split(",")), ("auto", *builtin_openers())
    for name in names:
        if name not in known[1:]:
            raise argparse.ArgumentTypeError(
                f"no sensor is named {name!r}.{did_you_mean(name, known)} It can be {', '.join(known)}."
            )
    return names


def _agent(options: argparse.Namespace) -> int:
    if options.new_token is not None:
        write_new_token(options.new_token)
        _say(f"A new token was written to {options.new_token}. Copy the file to the machine of the tests.")
        return 0
    server.check_installed()
    place = _place_of(options)
    context, listener = place.context(), place.listener()
    with listener, agent_here(options.sensors, cpu_tdp_w=options.cpu_tdp) as here:
        description = here.agent.description()
        if not description.channels:
            raise SettingsError(f"nothing can be measured here: {'; '.join(_absent(description))}")
        _say(_first_lines(description, place.url(listener)))
        host = listener.getsockname()[0]
        if place.token is not None and place.certificate is None and host not in {"127.0.0.1", "::1"}:
            _say("The token crosses the network unencrypted. Add --tls-cert and --tls-key, or use a tunnel.")
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()  # what is there stays: full collections are of what requests leave, small and often
        asyncio.run(server.AgentServer(here.agent, place, tell=_tell).run(listener, context))
    _say("Stopped.")
    return 0


def _place_of(options: argparse.Namespace) -> server.Place:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise SettingsError("--tls-cert and --tls-key must be given together")
    token = None if options.token_file is None else read_token(options.token_file)
    host, port = options.bind
    return server.Place(host=host, port=port, token=token, certificate=options.tls_cert, key=options.tls_key)


def _first_lines(description: AgentDescription, url: str) -> str:
    names = ", ".join(channel.name for channel in description.channels)
    served = f"{url} serves {names} ({description.provenance}) of {description.host}."
    return "\n".join([served, *(f"Not available: {absent}" for absent in _absent(description))])


def _absent(description: AgentDescription) -> list[str]:
    """The sensors that are not available, each with its reason."""
    return [
        f"{status.name}: {status.absent_because}"
        for status in description.statuses
        if status.absent_because is not None
    ]


def _say(lines: str) -> None:
    """Print *lines* at once, also to a log."""
    sys.stdout.write(f"{printable_lines(lines)}\n")
    sys.stdout.flush()


def _tell(sentence: str) -> None:
    sys.stderr.write(f"pytest-energy agent: {printable(sentence)}\n")
