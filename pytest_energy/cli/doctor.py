"""`pytest-energy doctor`: what this machine can measure."""

import argparse
import json
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from pytest_energy.baselines.folder_lock import FolderNotLocked, locked
from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say, say_json
from pytest_energy.doctor import diagnose, render, to_json
from pytest_energy.doctor.agent import agent_to_json, diagnose_agent, render_agent
from pytest_energy.doctor.calibrate import calibrate_models
from pytest_energy.doctor.text import render_response
from pytest_energy.model import CounterResponse
from pytest_energy.remote.address import CA_FILE_VARIABLE, TOKEN_FILE_VARIABLE, MeterAddress
from pytest_energy.remote.http_source import HttpSource
from pytest_energy.remote.meter import this_run
from pytest_energy.sensors.kept_responses import FILE_VARIABLE, keep_response, responses_path
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.whole_file import check_place, writing

_OTHERS_S = 10.0  # as long is waited for another process that keeps a response at this moment


def register(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="show which sensors work on this machine, and why others don't",
        description="Look for sensors, read each at rest and under a load of 2 s on all CPUs and GPUs, and "
        "show what can fail a test here, and which commands enable more sensors.",
        epilog="Exit status: 0 if something measures, else 1; 2 if an agent can't be reached.",
    )
    doctor.add_argument(
        "--meter",
        metavar="URL",
        help="ask the agent at URL instead: what it measures, and how well its clock is known here; 2 s",
    )
    doctor.add_argument(
        "--meter-token-file", type=Path, metavar="FILE", help=f"its token; default: ${TOKEN_FILE_VARIABLE}"
    )
    doctor.add_argument(
        "--meter-ca-file",
        type=Path,
        metavar="FILE",
        help=f"who signed its certificate; default: ${CA_FILE_VARIABLE}",
    )
    doctor.add_argument(
        "--calibrate",
        action="store_true",
        help="measure how the energy counter of each model of GPU responds to bursts of work, 2 min each, "
        f"and keep it in ${FILE_VARIABLE} or the user's data folder: short tests are then known better. "
        "Takes torch, and a GPU that has nothing else to do",
    )
    doctor.add_argument("--json", action="store_true", help="for programs: one JSON document")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Exit status 1 if nothing measures: an estimate is no measurement."""
    if options.meter is not None:
        return _doctor_of_agent(options)
    if options.calibrate:
        return _calibrate()
    report = diagnose()
    if options.json:
        say_json(json.dumps(to_json(report), indent=2))
    else:
        say(render(report))
    return 0 if report.measures else 1


def _calibrate() -> int:
    """Exit status 1 if no response was found; each that was is kept at once."""
    path = responses_path()
    with writing(str(path)):
        check_place(path)
    is_any = False
    with closing(NvmlSensor()) as sensor:
        for model, measured in calibrate_models(sensor, say):
            say(render_response(measured))
            _keep(measured.response, model, sensor.driver, path)
            is_any = True
    if is_any:
        say(f"Kept in {path}. Runs that find it there use it from now on.")
    return 0 if is_any else 1


def _keep(response: CounterResponse, model: str, driver: str, path: Path) -> None:
    """Keep *response* beside those that others keep at this moment.

    Raises:
        SettingsError: The file can't be written, or is broken.
    """
    with writing(str(path)), ExitStack() as stack:
        with suppress(FolderNotLocked):  # as on some network file systems: what was measured isn't lost
            stack.enter_context(locked(path.absolute().parent, _OTHERS_S))
        keep_response(response, model=model, driver=driver, path=path)


def _doctor_of_agent(options: argparse.Namespace) -> int:
    address = MeterAddress.parse(
        options.meter, token_file=options.meter_token_file, ca_file=options.meter_ca_file
    )
    with closing(HttpSource(address)) as source:
        report = diagnose_agent(source, name=address.url, who=this_run("pytest-energy doctor"))
    if options.json:
        say_json(json.dumps(agent_to_json(report), indent=2))
    else:
        say(render_agent(report))
    return 0 if report.measures else 1
