"""What an agent on another machine measures, and how well its clock is known from here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tabulate import tabulate

from pytest_energy.codec import JsonDict
from pytest_energy.errors import printable
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.rest import mean_power_w
from pytest_energy.model import Provenance
from pytest_energy.remote.clock_offset import ClockOffset, Exchange
from pytest_energy.remote.protocol import AgentDescription, AgentSource, Cursor, Poll, Who
from pytest_energy.units import to_text

POLL_COUNT = 21
_POLL_S = 0.1  # so that channels have two seconds to tick

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentChannel:
    """A channel as the agent follows it.

    Attributes:
        tick_s: Period of its updates or of the agent's reads; `None` if unknown.
        power_w: Over the last seconds; `None` if the counter doesn't move.
    """

    name: str
    device: str
    tick_s: float | None
    power_w: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReport:
    """An agent, as it answered for two seconds.

    Attributes:
        clock_reach_s: Its clock is known to as many seconds at worst.
        round_trip_s: The shortest.
        absent: Sensor to why it is not available there.
        dead_because: Why no counter is read there now, or `None`.
        others: Runs that measure with it now.
    """

    name: str
    host: str
    version: str
    provenance: Provenance
    machine_key: str
    clock_reach_s: float
    round_trip_s: float
    channels: tuple[AgentChannel, ...]
    absent: Mapping[str, str]
    dead_because: str | None
    others: tuple[str, ...]

    @property
    def measures(self) -> bool:
        """Whether its joules may fail a test."""
        is_alive = self.dead_because is None and any(channel.power_w for channel in self.channels)
        return is_alive and self.provenance is Provenance.MEASURED


def diagnose_agent(source: AgentSource, *, name: str, who: Who, clock: Clock | None = None) -> AgentReport:
    """Ask the agent at *name* for two seconds.

    Raises:
        AgentLost: It can't be reached, or refuses.
    """
    clock = clock or SystemClock()
    description, offset, polls = source.description(), ClockOffset(), list[Poll]()
    exchanges = list[Exchange]()
    for number in range(POLL_COUNT):
        clock.sleep_s(_POLL_S if number else 0.0)
        sent_s = clock.now_s()
        polls.append(poll := source.poll(polls[-1].cursor if polls else Cursor(), who))
        exchanges.append(
            Exchange(sent_s=sent_s, asked_s=poll.asked_s, answered_s=poll.time_s, received_s=clock.now_s())
        )
        offset.add(exchanges[-1])
    source.release(who)
    return AgentReport(
        name=name,
        host=description.host,
        version=description.version,
        provenance=description.provenance,
        machine_key=description.machine.key,
        clock_reach_s=offset.at(polls[-1].time_s).reach_s,
        round_trip_s=min(exchange.round_trip_s for exchange in exchanges),
        channels=_channels(description, polls),
        absent={s.name: s.absent_because for s in description.statuses if s.absent_because is not None},
        dead_because=polls[-1].dead_because,
        others=tuple(f"{one.user} on {one.host}, process {one.pid}" for one in polls[-1].others),
    )


def _channels(description: AgentDescription, polls: list[Poll]) -> tuple[AgentChannel, ...]:
    channels = []
    for channel in description.channels:
        heard = [poll.channels[channel.name] for poll in polls if channel.name in poll.channels]
        since = [tick.tick for one in heard[1:] for tick in one.ticks]
        channels.append(
            AgentChannel(
                name=channel.name,
                device=channel.device,
                tick_s=heard[-1].tick_s if heard else None,
                power_w=mean_power_w(since),
            )
        )
    return tuple(channels)


def agent_to_json(report: AgentReport) -> JsonDict:
    return {"format": FORMAT_VERSION, **asdict(report), "measures": report.measures}


def render_agent(report: AgentReport) -> str:
    """The report for a screen."""
    rows = [
        (
            channel.name,
            str(report.provenance),
            "-" if channel.tick_s is None else to_text(channel.tick_s, "s", digits=3),
            "-" if channel.power_w is None else to_text(channel.power_w, "W", digits=3),
        )
        for channel in report.channels
    ]
    reach, trip = (to_text(s, "s", digits=2) for s in (report.clock_reach_s, report.round_trip_s))
    sections = [
        _headline(report),
        tabulate(rows, headers=("channel", "joules are", "tick", "power now"), tablefmt="plain").splitlines(),
        ["clock", f"  known to +- {reach}; the fastest poll took {trip}"],
        ["absent", *(f"  {name}: {because}" for name, because in report.absent.items())],
        ["also measured by", *(f"  {other}" for other in report.others)],
    ]
    shown = [lines for lines in sections if len(lines) > 1 or lines is sections[0]]
    return "\n\n".join("\n".join(map(printable, lines)) for lines in shown)


def _headline(report: AgentReport) -> list[str]:
    agent = f"The agent at {report.name} (version {report.version})"
    if report.dead_because is not None:
        return [f"{agent} reads no counter:", f"  {report.dead_because}"]
    if report.measures:
        return [
            f"{agent} measures {report.host}.",
            f"Baselines of its tests are kept under {report.machine_key}.",
        ]
    if report.provenance is not Provenance.MEASURED and report.channels:
        return [
            f"{agent} can't measure {report.host}.",
            f"Its joules are {report.provenance}, and fail a test only with --energy-estimates=gate.",
        ]
    return [f"{agent} measures nothing on {report.host}:", "  no counter moves"]
