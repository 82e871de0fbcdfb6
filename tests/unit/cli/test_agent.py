"""`pytest-energy agent`."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pytest_energy.cli import main
from pytest_energy.errors import SensorUnavailable
from pytest_energy.remote.private_file import read_token, write_new_token
from pytest_energy.remote.wire import DESCRIPTION_PATH, description_of
from pytest_energy.sensors.detect import builtin_openers
from pytest_energy.sensors.protocol import Sensor


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What the command says, which doesn't start."""
    try:
        status = main(["agent", *words])
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]  # argparse's own
    assert status == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "bind", ["8365", "host", "host:", ":8365", "host:x", "host:-1", "host:65536", "host:²"]
)
def test_a_place_has_a_host_and_a_port(capsys: pytest.CaptureFixture[str], bind: str) -> None:
    """Anything else is refused with an example."""
    assert "must be HOST:PORT, such as 0.0.0.0:8365" in refusal(capsys, f"--bind={bind}")


def test_a_place_for_all_needs_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    """It doesn't start, and says how to make one."""
    assert "a token is needed: pytest-energy agent --new-token FILE" in refusal(capsys, "--bind=0.0.0.0:0")


def test_a_certificate_needs_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    """One alone is refused."""
    assert "--tls-cert and --tls-key must be given together" in refusal(capsys, "--tls-cert=a.pem")
    assert "--tls-cert and --tls-key must be given together" in refusal(capsys, "--tls-key=a.pem")


def test_a_sensor_that_no_sensor_is_named_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the known ones."""
    said = " ".join(refusal(capsys, "--sensors=nvlm").split())
    assert "no sensor is named 'nvlm'" in said
    assert f"It can be auto, {', '.join(builtin_openers())}." in said


def test_a_machine_that_measures_nothing_has_no_agent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor that was asked for and isn't there is named with its reason; no other takes its place."""

    def open_none() -> Sensor:
        raise SensorUnavailable("nvml", "no driver")

    monkeypatch.setattr("pytest_energy.sensors.nvml.NvmlSensor", open_none)
    said = refusal(capsys, "--sensors=nvml", "--bind=127.0.0.1:0")
    assert "nothing can be measured here: nvml: no driver" in said


def test_a_new_token_is_written_and_not_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command ends, and names the file."""
    path = tmp_path / "token"
    assert main(["agent", f"--new-token={path}"]) == 0
    said = capsys.readouterr().out
    assert str(path) in said
    assert read_token(path) not in said


PROGRAM = """
import sys
from pytest_energy.cli import main
status = main(sys.argv[1:])
heavy = {"torch", "numpy", "pandas", "scipy", "matplotlib", "pytest", "_pytest"} & {*sys.modules}
print("heavy:", sorted(heavy), flush=True)
sys.exit(status)
"""


def test_an_agent_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    """It says what it serves, answers, imports nothing heavy, and ends by SIGTERM with status 0."""
    token = tmp_path / "token"
    write_new_token(token)
    words = ["agent", "--bind=127.0.0.1:0", f"--token-file={token}", "--sensors=estimate", "--cpu-tdp=100"]
    with subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.match(r"(http://127\.0\.0\.1:\d+) serves cpu:machine \(estimated\) of ", first)
            assert found is not None, first
            headers = {"Authorization": f"Bearer {read_token(token)}"}
            asked = urllib.request.Request(found[1] + DESCRIPTION_PATH, headers=headers)  # noqa: S310  # http
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
                description = description_of(answer.read(), "the agent")
            assert description.provenance == "estimated"
            assert description.machine.fixed["cpu_tdp_w"] == "100"
        finally:
            process.terminate()
            said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert said == "Stopped.\nheavy: []\n"
