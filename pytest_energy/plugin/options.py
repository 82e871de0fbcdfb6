"""Every option of the plugin: one table, from which the command line and the ini file are made.

Rule 1: a flag on the command line wins over its ini twin; the ini value holds the default.
Rule 2: this module is imported in every run of pytest, so it understands nothing: `settings` does.
"""

import argparse
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import pytest

from pytest_energy.spelling import did_you_mean, nearest

_WHOLE = "full"

Value = str | list[str]


class Setting(NamedTuple):
    """What an option is set to.

    Attributes:
        source: The option's name where it was set, or the ini file's where it was not.
        is_ini: It is from the ini file, or the default.
    """

    value: Value
    source: str
    is_ini: bool


class Option(NamedTuple):
    """One option: `--energy-NAME` and its ini twin `energy_NAME`.

    Attributes:
        metavar: What its value is; empty for a flag.
        is_list: It may be given several times.
        former: The name that it had, which is still taken, with a warning; or empty.
        whole: Of a flag that has a longer form, `--energy-NAME=full`: what that does; else empty.
    """

    name: str
    default: str
    metavar: str
    help: str
    is_list: bool = False
    former: str = ""
    whole: str = ""

    @property
    def flag(self) -> str:
        return flag_of(self.name)

    @property
    def ini(self) -> str:
        return ini_of(self.name)

    @property
    def ini_default(self) -> Value:
        return [] if self.is_list else self.default

    def setting(self, config: pytest.Config) -> Setting:
        """What it is set to in *config*: by rule 1, and by its name before its former one."""
        names = [self.name, self.former] if self.former else [self.name]
        for flag in map(flag_of, names):
            if (value := config.getoption(flag)) is not None:
                return Setting(value, flag, is_ini=False)
        for ini in map(ini_of, names[1:]):
            if (value := config.getini(ini)) and config.getini(self.ini) == self.ini_default:
                return Setting(value, f"ini value {ini}", is_ini=True)
        return Setting(config.getini(self.ini), f"ini value {self.ini}", is_ini=True)


def flag_of(name: str) -> str:
    return "--energy-" + name


def ini_of(name: str) -> str:
    return "energy_" + name.replace("-", "_")


OPTIONS = (
    Option(
        "report",
        "false",
        "",
        "show the energy summary at the end of the run",
        whole="show all of it, as -v does: each test, metrics, correlations, sensors, machine",
    ),
    Option(
        "out",
        "",
        "PATH",
        "write the run to PATH (.json, .csv, .rounds.csv, .md, .html, .prom, .badge.json or .badge.svg), or "
        "send it to a collector of OpenTelemetry: otlp:http://HOST:4318 (repeatable)",
        is_list=True,
    ),
    Option(
        "baseline",
        "check",
        "check|add|replace|off",
        "check: compare with the stored baselines (default); add: also append this run to them; replace: "
        "also overwrite them with this run; off: ignore baselines",
    ),
    Option("baselines", "baselines", "DIR|URL", "folder or URL of the baselines (default: baselines)"),
    Option(
        "attempts",
        "",
        "DIR",
        "folder of earlier runs at the same commit, such as earlier attempts of a CI job: judge this run "
        "together with them, and add it to the folder",
    ),
    Option(
        "sensors",
        "auto",
        "auto|NAME,...|replay:FILE",
        "what to measure with; auto (default): every sensor that works here, else an estimate",
    ),
    Option(
        "record",
        "",
        "FILE",
        "write the readings of this run to FILE, for --energy-sensors=replay:FILE",
    ),
    Option(
        "tolerance",
        "0.05",
        "SHARE",
        "accepted rise over the baseline, such as 5% or 0.05 (default: 5%)",
    ),
    Option(
        "parts",
        "work,waiting",
        "work,waiting,joules",
        "which parts of a test's energy may fail it: work, waiting (default: both), or joules for all of it",
    ),
    Option(
        "basis",
        "gross",
        "gross|net|counts",
        "what is compared with the baseline: gross joules (default), joules net of idle power, or counts of "
        "the operations of the work, which are exact and need no sensor",
    ),
    Option(
        "trace",
        "auto",
        "auto|off",
        "auto (default): call the work once more after the rounds, and count its operations; off: don't",
    ),
    Option(
        "alpha",
        "0.05",
        "SHARE",
        "accepted chance of a false alarm at the edge of the tolerance, one-sided (default: 5%)",
    ),
    Option(
        "rounds",
        "auto",
        "auto|N",
        "rounds per test; auto (default): 5 to 20, until the mean is precise enough",
    ),
    Option(
        "max-time",
        "60",
        "TIME",
        "time after which a test starts no more rounds, such as 2 min (default: 60 s)",
    ),
    Option(
        "strict",
        "false",
        "",
        "also fail tests that are inconclusive, no-baseline, not-comparable, saturated, void or unmeasured",
    ),
    Option(
        "yardstick",
        "auto",
        "auto|on|off",
        "measure fixed loads at the start of the run, which separate changes of the GPU from changes of the "
        "code; auto (default): if they take at most 5 % of the time of the suite",
    ),
    Option(
        "ray",
        "auto",
        "auto|on|off",
        "measure the nodes of the Ray cluster that the test is connected to; auto (default): if it has more "
        "than one node",
    ),
    Option(
        "estimates",
        "report",
        "report|gate",
        "report (default): show estimated joules; gate: also judge them",
    ),
    Option(
        "benchmark",
        "false",
        "",
        "also measure each test that uses the fixture benchmark of pytest-benchmark or pytest-codspeed",
    ),
    Option(
        "operators",
        "false",
        "",
        "also measure each torch operator that energy.measure runs, replayed alone after the rounds; this "
        "doubles the time of a test",
    ),
    Option(
        "macs",
        "flop-counter",
        "flop-counter|thop",
        "what counts the MACs of a model: torch's flop counter (default), or thop, which also counts "
        "normalisation and pooling; both are shown if they differ by more than 20 %",
    ),
    Option(
        "cpu-tdp",
        "",
        "POWER",
        "thermal design power of the CPU, such as 65 W, for the estimate (default: from a table of CPUs)",
        former="cpu-tdp-w",
    ),
    Option("keep", "10", "N", "sessions that a baseline keeps (default: 10)", former="baseline-sessions"),
    Option(
        "device-wait",
        "600",
        "TIME",
        "time to wait for a device that another run uses, before the test is an error (default: 10 min)",
    ),
    Option(
        "void-retries",
        "2",
        "N",
        "how often a round whose reading is void is repeated before the test is void (default: 2)",
    ),
    Option(
        "carbon-g-per-kwh",
        "",
        "GRAMS",
        "carbon intensity of the electricity in grams of CO2e per kWh, such as '400 (grid mean of 2025)': "
        "reports also show the CO2e of the joules, an estimate (no default)",
    ),
    Option(
        "price-per-kwh",
        "",
        "PRICE",
        "price of the electricity per kWh with its currency, such as '0.31 EUR (contract of 2026)': reports "
        "also show the cost of the joules, an estimate (no default)",
    ),
    Option("off", "false", "", "measure nothing and judge nothing; tests run once"),
)


def check_arguments(pluginmanager: pytest.PytestPluginManager) -> None:
    """Refuse a value for a flag that has but one, in our words: argparse would only ignore it.

    Raises:
        UsageError: The command line has such a value.
    """
    config: pytest.Config | None = pluginmanager.get_plugin("pytestconfig")
    flags = {option.flag for option in OPTIONS if option.whole}
    for argument in () if config is None else map(str, config.invocation_params.args):
        flag, equals, value = argument.partition("=")
        if flag in flags and equals and value != _WHOLE:
            raise pytest.UsageError(f"{flag} must be given alone or as {flag}={_WHOLE}. Got {value!r}.")


def add_options(parser: pytest.Parser) -> None:
    """Register every option of the table with pytest; of a former name the help says nothing."""
    group = parser.getgroup("energy", "energy of the tests, measured and judged")
    for option in OPTIONS:
        kind: dict[str, str] = {"metavar": option.metavar}
        if not option.metavar:
            kind = {"action": "store_const", "const": "true"}
        elif option.is_list:
            kind["action"] = "append"
        help_text = option.help.replace("%", "%%")  # argparse fills in what follows a percent sign
        group.addoption(option.flag, default=None, help=help_text, **kind)
        if option.whole:  # a flag of its own: argparse would take the next path for a value of `report`
            whole_kind = {"action": "store_const", "const": _WHOLE, "dest": option.ini}
            group.addoption(f"{option.flag}={_WHOLE}", default=None, help=option.whole, **whole_kind)
        ini_type: Literal["linelist", "string"] = "linelist" if option.is_list else "string"
        parser.addini(
            option.ini, f"{option.help}; see {option.flag}", type=ini_type, default=option.ini_default
        )
        if option.former:
            group.addoption(flag_of(option.former), default=None, help=argparse.SUPPRESS, **kind)
            parser.addini(ini_of(option.former), f"former name of {option.ini}", type=ini_type, default=None)


def suggest(parser: pytest.Parser, words: Iterable[str]) -> None:
    """Have pytest's message on an unknown option name the one of ours that it is nearest to."""
    known = [flag_of(name) for option in OPTIONS for name in (option.name, option.former) if name]
    for word in words:
        flag, _, _ = word.partition("=")
        if flag.startswith("--energy") and flag not in known:
            parser.extra_info.update(("did you mean", name) for name in nearest(flag, known))


def misspelt_ini(config: pytest.Config) -> Iterator[str]:
    """A sentence for each ini value that is nearly one of ours, and of no other plugin."""
    known = [option.ini for option in OPTIONS]
    values = vars(config).get("_inicfg")  # pytest 9 has deprecated the public name
    for name in config.inicfg if values is None else values:
        if name.startswith("energy") and (near := did_you_mean(name, known)) and not _is_known(config, name):
            yield f"no ini value is named {name}.{near}"


def _is_known(config: pytest.Config, ini: str) -> bool:
    try:
        config.getini(ini)
    except ValueError:
        return False
    return True


def is_any_set(config: pytest.Config) -> bool:
    """Whether any option was set, on the command line or in the ini file."""
    return any(
        not setting.is_ini or setting.value != option.ini_default
        for option in OPTIONS
        for setting in [option.setting(config)]
    )


def former_names(config: pytest.Config) -> Iterator[str]:
    """A sentence for each option that was set by its former name."""
    for option in OPTIONS:
        source = option.setting(config).source
        for name_of in (flag_of, ini_of):
            if option.former and source.endswith(name_of(option.former)):
                yield f"{source} is now {name_of(option.name)}"
