"""Every option of the plugin: one table, read in one place.

Rule 1: a flag on the command line wins over its ini twin; the ini value holds the default.
Rule 2: a value that can't be understood stops the run before any test, with its name, value and remedy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from pytest_energy.errors import SettingsError

T = TypeVar("T")


class BaselineMode(StrEnum):
    """What a run does with stored baselines."""

    CHECK = "check"
    ADD = "add"
    REPLACE = "replace"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: `--energy-NAME` and its ini twin `energy_NAME`."""

    name: str
    default: str
    help: str
    metavar: str = ""
    kind: Literal["value", "flag", "list"] = "value"

    @property
    def flag(self) -> str:
        return "--energy-" + self.name

    @property
    def ini(self) -> str:
        return "energy_" + self.name.replace("-", "_")


OPTIONS = (
    Option(name="report", default="false", kind="flag", help="show the energy summary at the end of the run"),
    Option(
        name="out",
        default="",
        kind="list",
        metavar="PATH",
        help="also write the summary to PATH; the suffix picks the format (repeatable)",
    ),
    Option(
        name="baseline",
        default="check",
        metavar="check|add|replace|off",
        help="compare with stored baselines (check), and after that add this run to them or replace them; "
        "off: don't look at them (default: check)",
    ),
    Option(
        name="baselines",
        default="baselines",
        metavar="DIR",
        help="folder of the baselines (default: baselines)",
    ),
    Option(
        name="sensors",
        default="auto",
        metavar="auto|NAME,...|replay:FILE",
        help="what to measure with (default: auto: whatever measures here, else the estimate)",
    ),
    Option(
        name="tolerance",
        default="0.05",
        metavar="SHARE",
        help="rise that is still accepted, as a share (default: 0.05)",
    ),
    Option(
        name="alpha",
        default="0.05",
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance, one-sided (default: 0.05)",
    ),
    Option(
        name="rounds",
        default="auto",
        metavar="auto|N",
        help="rounds a test; auto: until the mean is known well enough, 5 to 20 (default: auto)",
    ),
    Option(
        name="max-time",
        default="60",
        metavar="S",
        help="seconds after which a test takes no more rounds (default: 60)",
    ),
    Option(
        name="strict",
        default="false",
        kind="flag",
        help="also fail tests that are inconclusive, no-baseline, not-comparable, void or unmeasured",
    ),
    Option(
        name="estimates",
        default="report",
        metavar="report|gate",
        help="whether estimated joules are only shown (report, the default) or also judged (gate)",
    ),
    Option(
        name="cpu-tdp-w",
        default="",
        metavar="W",
        help="thermal design power of the CPU, for the estimate (default: from a table of CPU models)",
    ),
    Option(
        name="baseline-sessions",
        default="10",
        metavar="N",
        help="sessions that a baseline keeps (default: 10)",
    ),
    Option(
        name="void-retries",
        default="2",
        metavar="N",
        help="how often a round whose reading is void is repeated before the test is void (default: 2)",
    ),
    Option(
        name="off", default="false", kind="flag", help="measure nothing and judge nothing; tests run once"
    ),
)


def add_options(parser: pytest.Parser) -> None:
    """Register every option of the table with pytest."""
    group = parser.getgroup("energy", "energy of the tests, measured and judged")
    for option in OPTIONS:
        if option.kind == "flag":
            group.addoption(option.flag, action="store_const", const="true", default=None, help=option.help)
        elif option.kind == "list":
            group.addoption(
                option.flag, action="append", default=None, metavar=option.metavar, help=option.help
            )
        else:
            group.addoption(option.flag, default=None, metavar=option.metavar, help=option.help)
        ini_type: Literal["linelist", "string"] = "linelist" if option.kind == "list" else "string"
        default = [] if option.kind == "list" else option.default
        parser.addini(option.ini, f"{option.help}; see {option.flag}", type=ini_type, default=default)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The options of one run, understood.

    Attributes:
        sensor_names: Sensors asked for by name, or `None` for whatever is there.
        replay_path: File whose joules stand in for sensors, or `None`.
        round_count: Fixed number of rounds, or `None` for as many as it takes.
    """

    shows_report: bool
    out_paths: tuple[Path, ...]
    baseline_mode: BaselineMode
    baselines_path: Path
    sensor_names: tuple[str, ...] | None
    replay_path: Path | None
    tolerance: float
    alpha: float
    round_count: int | None
    max_time_s: float
    is_strict: bool
    gates_estimates: bool
    cpu_tdp_w: float | None
    baseline_session_count: int
    void_retry_count: int
    is_off: bool

    @property
    def names_source(self) -> bool:
        """Whether the joules are to come from something that was named, rather than whatever is there."""
        return self.replay_path is not None or self.sensor_names is not None

    @classmethod
    def from_pytest_config(cls, config: pytest.Config) -> "Settings":
        """Read the command line and the ini file.

        Raises:
            SettingsError: A value can't be understood.
        """
        values = {option.name: _Value.read(config, option) for option in OPTIONS}
        sensors = values["sensors"]
        replay_path = sensors.path_after("replay:")
        return cls(
            shows_report=values["report"].boolean(),
            out_paths=values["out"].paths(),
            baseline_mode=BaselineMode(values["baseline"].choice(tuple(BaselineMode))),
            baselines_path=values["baselines"].path(),
            sensor_names=None if replay_path or sensors.text == "auto" else sensors.names(),
            replay_path=replay_path,
            tolerance=values["tolerance"].number(least=0.0, below=10.0),
            alpha=values["alpha"].number(above=0.0, below=0.5),
            round_count=None if values["rounds"].text == "auto" else values["rounds"].integer(least=1),
            max_time_s=values["max-time"].number(above=0.0),
            is_strict=values["strict"].boolean(),
            gates_estimates=values["estimates"].choice(("report", "gate")) == "gate",
            cpu_tdp_w=values["cpu-tdp-w"].number(above=0.0) if values["cpu-tdp-w"].text else None,
            baseline_session_count=values["baseline-sessions"].integer(least=1),
            void_retry_count=values["void-retries"].integer(least=0),
            is_off=values["off"].boolean(),
        )


SETTINGS = pytest.StashKey[Settings]()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Value:
    """One option's text, with where it was said and what relative paths are relative to."""

    source: str
    texts: tuple[str, ...]
    folder: Path

    @classmethod
    def read(cls, config: pytest.Config, option: Option) -> "_Value":
        said = config.getoption(option.flag)
        if said is not None:
            texts = tuple(said) if isinstance(said, list) else (str(said),)
            return cls(source=option.flag, texts=texts, folder=config.invocation_params.dir)
        ini = config.getini(option.ini)
        texts = tuple(ini) if isinstance(ini, list) else (str(ini),)
        return cls(
            source=f"ini value {option.ini}",
            texts=texts,
            folder=config.inipath.parent if config.inipath else config.rootpath,
        )

    @property
    def text(self) -> str:
        return self.texts[0].strip() if self.texts else ""

    def _wrong(self, wanted: str) -> SettingsError:
        return SettingsError(f"{self.source}={self.text!r}: give {wanted}")

    def _parsed(self, kind: Callable[[str], T], wanted: str) -> T:
        try:
            return kind(self.text)
        except ValueError as error:
            raise self._wrong(wanted) from error

    def number(self, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf) -> float:
        bounds = [
            *([f"at least {least:g}"] if least > -math.inf else []),
            *([f"above {above:g}"] if above > -math.inf else []),
            *([f"below {below:g}"] if below < math.inf else []),
        ]
        wanted = " ".join(["a number", " and ".join(bounds)]).strip()
        value = self._parsed(float, wanted)
        if not (math.isfinite(value) and value >= least and above < value < below):
            raise self._wrong(wanted)
        return value

    def integer(self, *, least: int) -> int:
        wanted = f"a whole number of at least {least}"
        value = self._parsed(int, wanted)
        if value < least:
            raise self._wrong(wanted)
        return value

    def boolean(self) -> bool:
        words = {
            "true": True,
            "1": True,
            "yes": True,
            "on": True,
            "false": False,
            "0": False,
            "no": False,
            "off": False,
        }
        try:
            return words[self.text.lower()]
        except KeyError:
            raise self._wrong("true or false") from None

    def choice(self, choices: tuple[str, ...]) -> str:
        if self.text not in choices:
            raise self._wrong("one of " + ", ".join(choices))
        return self.text

    def names(self) -> tuple[str, ...]:
        names = tuple(name.strip() for name in self.text.split(",") if name.strip())
        if not names:
            raise self._wrong("auto, names of sensors, or replay:FILE")
        return names

    def path(self) -> Path:
        if not self.text:
            raise self._wrong("a path")
        return self.folder / self.text

    def paths(self) -> tuple[Path, ...]:
        return tuple(self.folder / text.strip() for text in self.texts if text.strip())

    def path_after(self, prefix: str) -> Path | None:
        if not self.text.startswith(prefix):
            return None
        if self.text == prefix:
            raise self._wrong(f"a file after {prefix}")
        return self.folder / self.text.removeprefix(prefix)
