"""`pytest-energy export`: a run in another format."""

import argparse

from pytest_energy.cli.arguments import Commands, add_out, add_run, add_tariff, output, tariff_from
from pytest_energy.cli.files import read_run, write_reports
from pytest_energy.errors import SettingsError
from pytest_energy.report.formats import SUFFIXES, check_outputs


def register(commands: Commands) -> None:
    export = commands.add_parser(
        "export",
        help="write a run in another format",
        description="Write a run in another format, or send it to a collector, as --energy-out does. Give OUT"
        ", or --out once or more.",
        epilog="Exit status: 0, or 2 if a file can't be used or written.",
    )
    add_run(export, "run_json", "RUN.json")
    suffixes = ", ".join(SUFFIXES)
    export.add_argument(
        "out_path",
        type=output,
        nargs="?",
        metavar="OUT",
        help=f"a file that ends in one of {suffixes}; or otlp:http://HOST:4318, a collector of OpenTelemetry",
    )
    add_out(export)
    add_tariff(export)
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    outputs = [*([] if options.out_path is None else [options.out_path]), *options.out]
    if not outputs:
        raise SettingsError("nothing to write: give OUT, or --out=OUT")
    check_outputs(outputs)
    run = read_run(options.run_json)
    write_reports(
        run.judgements,
        outputs,
        run_notes=run.run_notes,
        yardstick=run.yardstick,
        tariff=tariff_from(options, run.tariff),
    )
    return 0
