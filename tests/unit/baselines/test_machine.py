import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pytest

from pytest_energy.baselines import machine
from pytest_energy.baselines.machine import (
    check_comparable,
    commit,
    cpu_model,
    fingerprint,
    installed_versions,
)
from pytest_energy.errors import NotComparable
from pytest_energy.model import Provenance
from pytest_energy.sensors.protocol import Facts
from tests.builders import FIXED, record

XEON = "Intel(R) Xeon(R) Platinum 8480C"
H100 = "NVIDIA H100 80GB HBM3"


@pytest.fixture(autouse=True)
def _no_repository_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run from a git hook, these tests don't work on the repository that the hook is for."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


def cpuinfo(folder: Path, *names: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text("".join(f"processor\t: {n}\nmodel name\t: {name}\n\n" for n, name in enumerate(names)))
    return path


def gpu_facts(*key_parts: str, count: int = 1) -> Facts:
    return Facts(
        fixed={"gpu_model": H100, "gpu_count": str(count), "gpu_power_limit_w": "700", "mig": "off"},
        shown={"gpu_uuid": "GPU-1", "driver": "580.159.04"},
        key_parts=key_parts,
    )


def key(folder: Path, facts: Sequence[Facts], *sensors: str, cpu: str = XEON) -> str:
    return fingerprint(facts, sensors, Provenance.MEASURED, folder=folder, cpuinfo=cpuinfo(folder, cpu)).key


class TestKey:
    def test_reads_as_what_it_is(self, tmp_path: Path) -> None:
        """GPU, CPU and sensors, in short and in this order."""
        assert key(tmp_path, [gpu_facts(H100)], "nvml") == "h100-80gb-hbm3_xeon-8480c_nvml"

    @pytest.mark.parametrize("facts", [gpu_facts(H100, H100, count=2), gpu_facts(f"2x {H100}", count=2)])
    def test_several_gpus(self, tmp_path: Path, facts: Facts) -> None:
        """The count stands before the model, whether the sensor names each GPU or counts them itself."""
        assert key(tmp_path, [facts], "nvml") == "2x-h100-80gb-hbm3_xeon-8480c_nvml"

    def test_different_gpus(self, tmp_path: Path) -> None:
        """GPUs of two models are both named, in an order that is always the same."""
        expected = "2x-h100-80gb-hbm3_tesla-t4_xeon-8480c_nvml"
        assert key(tmp_path, [gpu_facts(H100, "Tesla T4", H100, count=3)], "nvml") == expected

    def test_no_gpu(self, tmp_path: Path) -> None:
        """Without a GPU the key begins with the CPU; the sensors' order makes no difference."""
        assert key(tmp_path, [Facts()], "rapl", "nvml", "rapl") == "xeon-8480c_nvml-rapl"

    def test_a_cpu_sensor_that_names_the_cpu(self, tmp_path: Path) -> None:
        """The CPU is named once."""
        assert key(tmp_path, [Facts(key_parts=(XEON,))], "rapl") == "xeon-8480c_rapl"

    @pytest.mark.parametrize(
        ("name", "short"),
        [
            ("Intel(R) Xeon(R) Platinum 8480+", "xeon-8480+"),
            ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "xeon-e5-2680-v4"),
            ("12th Gen Intel(R) Core(TM) i7-12700K", "core-i7-12700k"),
            ("AMD EPYC 7763 64-Core Processor", "epyc-7763"),
            ("AMD Ryzen Threadripper PRO 5995WX 64-Cores", "ryzen-threadripper-pro-5995wx"),
            ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", "ryzen-7-pro-4750u"),
            ("ボード ../../etc", "etc"),
        ],
    )
    def test_cpu_names(self, tmp_path: Path, name: str, short: str) -> None:
        """A CPU's name loses its maker and marks, and nothing that tells two models apart."""
        assert key(tmp_path, [], "rapl", cpu=name) == f"{short}_rapl"

    def test_length(self, tmp_path: Path) -> None:
        """However many models, the key stays short enough for a folder's name."""
        facts = gpu_facts(*(f"GPU of the maker number {n:030}" for n in range(40)), count=40)
        assert len(key(tmp_path, [facts], "nvml").encode()) <= 120

    def test_never_empty(self, tmp_path: Path) -> None:
        """A machine of which nothing is known has a key all the same."""
        assert key(tmp_path, [], cpu="(R)") == "unknown"


class TestFingerprint:
    def test_fixed_facts(self, tmp_path: Path) -> None:
        """What must be equal: the sensors' fixed facts, the CPU, the sensors and the provenance."""
        found = fingerprint(
            [gpu_facts(H100), Facts()],
            ["rapl", "nvml"],
            Provenance.MEASURED,
            folder=tmp_path,
            cpuinfo=cpuinfo(tmp_path, XEON),
        )
        assert found.fixed == {
            "gpu_model": H100,
            "gpu_count": "1",
            "gpu_power_limit_w": "700",
            "mig": "off",
            "cpu_model": XEON,
            "sensors": "nvml, rapl",
            "provenance": "measured",
        }

    def test_without_sensors_joules_have_no_provenance(self, tmp_path: Path) -> None:
        """Nothing was measured, so no fact says that something was."""
        cpu = cpuinfo(tmp_path, XEON)
        found = fingerprint([], [], Provenance.MEASURED, folder=tmp_path, cpuinfo=cpu)
        assert found.fixed == {"cpu_model": XEON}

    def test_shown_facts(self, tmp_path: Path) -> None:
        """What may differ is there to be shown; outside a checkout there is no commit."""
        shown = fingerprint([gpu_facts(H100)], ["nvml"], Provenance.MEASURED, folder=tmp_path).varying
        assert shown["driver"] == "580.159.04"
        assert shown["python"] == platform.python_version()
        assert shown["pytest_energy"] == metadata.version("pytest-energy")
        assert {"platform", "cpu_count", "gpu_uuid"} <= set(shown)
        assert "git_commit" not in shown

    def test_no_fact_gets_lost(self, tmp_path: Path) -> None:
        """Two sensors that say different things under one name are both heard."""
        facts = [Facts(fixed={"board": "b"}), Facts(fixed={"board": "a"})]
        found = fingerprint(facts, ["x", "y"], Provenance.MEASURED, folder=tmp_path)
        assert found.fixed["board"] == "a, b"

    def test_replay(self, tmp_path: Path) -> None:
        """Replayed joules have no hardware: they are the same on every machine."""
        found = fingerprint([], ["replay"], Provenance.REPLAYED, folder=tmp_path)
        assert found.key == "replay"
        assert found.fixed == {"sensors": "replay"}
        assert "cpu_count" not in found.varying

    def test_folder_is_the_working_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without a folder the commit is that of the working folder."""
        head = checkout(tmp_path)
        monkeypatch.chdir(tmp_path)
        assert fingerprint([], ["replay"], Provenance.REPLAYED).varying["git_commit"] == head


class TestCpuModel:
    def test_model_name(self, tmp_path: Path) -> None:
        """The model is named once, however many processors there are."""
        assert cpu_model(cpuinfo(tmp_path, XEON, XEON)) == XEON

    def test_two_models(self, tmp_path: Path) -> None:
        """A machine with two models names both."""
        assert cpu_model(cpuinfo(tmp_path, "big", "LITTLE", "big")) == "big, LITTLE"

    def test_arm(self, tmp_path: Path) -> None:
        """On ARM the kernel tells numbers."""
        path = tmp_path / "cpuinfo"
        path.write_text("processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n")
        assert cpu_model(path) == "ARM 0x41 part 0xd0c"

    @pytest.mark.parametrize("text", ["", "model name\t:\n", "processor: 0\n\n\n"])
    def test_nothing_told(self, tmp_path: Path, text: str) -> None:
        """Where the list says nothing Python's own answer stands in, and it is never empty."""
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        assert cpu_model(path) == (platform.processor() or platform.machine() or "unknown")

    def test_no_list(self, tmp_path: Path) -> None:
        """A system without the list is no error."""
        assert cpu_model(tmp_path / "none")


class TestInstalledVersions:
    def test_what_is_installed(self) -> None:
        """The first distribution that is installed gives the version; the rest is absent."""
        found = installed_versions({"a": ("no-such-thing", "pytest"), "b": ("no-such-thing",)})
        assert found == {"a": metadata.version("pytest")}

    def test_a_broken_install(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a broken install has left has no version and raises nothing."""
        broken = tmp_path / "halfgone-1.0.dist-info"
        broken.mkdir()
        (broken / "METADATA").write_text("Name: halfgone\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert installed_versions({"halfgone": ("halfgone",)}) == {}

    def test_nothing_is_imported(self) -> None:
        """Finding the versions loads none of the heavy packages."""
        code = (
            "import sys\n"
            "from pytest_energy.baselines.machine import installed_versions\n"
            "installed_versions()\n"
            "print(sorted({'torch', 'numpy', 'filelock', 'vllm', 'transformers'} & set(sys.modules)))"
        )
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603  # our own words
        assert done.stdout == "[]\n"


def git(folder: Path, *words: str) -> str:
    settings = ("user.name=a", "user.email=a@b", "commit.gpgSign=false")
    command = ["git", *(word for setting in settings for word in ("-c", setting)), "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603  # ours


def checkout(folder: Path) -> str:
    """A repository in *folder* with one commit; returns that."""
    git(folder, "init", "--quiet")
    (folder / "code.py").write_text("one\n")
    git(folder, "add", "code.py")
    git(folder, "commit", "--quiet", "--message=one")
    return git(folder, "rev-parse", "HEAD")


class TestCommit:
    def test_clean(self, tmp_path: Path) -> None:
        """A clean checkout shows its commit; files that git doesn't track are not changes."""
        head = checkout(tmp_path)
        (tmp_path / "notes.txt").write_text("new\n")
        assert commit(tmp_path) == {"git_commit": head, "git_dirty": "no"}

    def test_dirty(self, tmp_path: Path) -> None:
        """A changed file shows, from a folder inside the checkout as well."""
        head = checkout(tmp_path)
        (tmp_path / "code.py").write_text("two\n")
        (tmp_path / "inside").mkdir()
        assert commit(tmp_path / "inside") == {"git_commit": head, "git_dirty": "yes"}

    def test_no_checkout(self, tmp_path: Path) -> None:
        """Outside a repository the fields are missing."""
        assert commit(tmp_path) == {}

    def test_no_commit_yet(self, tmp_path: Path) -> None:
        """A repository without a commit has none to show."""
        git(tmp_path, "init", "--quiet")
        assert commit(tmp_path) == {}

    def test_no_git(self, tmp_path: Path) -> None:
        """Where git is not installed the fields are missing."""
        assert commit(tmp_path, git=str(tmp_path / "git")) == {}

    def test_git_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A git that gives no answer, on a dead network file system for instance, is given up."""
        hanging = tmp_path / "git"
        hanging.write_text("#!/bin/sh\nexec cat /dev/zero >/dev/null\n")
        hanging.chmod(0o755)
        monkeypatch.setattr(machine, "_GIT_TIMEOUT_S", 0.05)
        assert commit(tmp_path, git=str(hanging)) == {}

    def test_an_answer_that_is_not_git_s(self, tmp_path: Path) -> None:
        """A program of that name which says something else tells nothing."""
        assert commit(tmp_path, git="true") == {}


class TestCheckComparable:
    def test_equal(self) -> None:
        """Joules, time and shown facts may differ: to find that is the point."""
        check_comparable(record(10.0), record(20.0, created="2027-01-01T00:00:00Z", shown={"driver": "600"}))

    def test_everything_that_differs_is_named(self) -> None:
        """One message names all differences, with both values."""
        new = record(
            fixed={**FIXED, "gpu_model": "NVIDIA H200", "mig": "on"},
            provenance=Provenance.ESTIMATED,
            samples=64,
        )
        with pytest.raises(NotComparable) as caught:
            check_comparable(record(samples=512), new)
        assert caught.value.differences == {
            "channels": ("gpu:0", "cpu:processes"),
            "gpu_model": ("NVIDIA H100 80GB HBM3", "NVIDIA H200"),
            "mig": ("not recorded", "on"),
            "provenance": ("measured", "estimated"),
            "samples": ("512", "64"),
        }

    def test_a_fact_that_is_gone(self) -> None:
        """A fact that only the baseline has can't be taken for equal."""
        with pytest.raises(NotComparable, match="mig: 'off' in the baseline, 'not recorded' now"):
            check_comparable(record(fixed={**FIXED, "mig": "off"}), record())

    def test_samples_given_or_not(self) -> None:
        """An amount of work that one side doesn't tell is a difference."""
        with pytest.raises(NotComparable, match="samples: '512' in the baseline, 'not given' now"):
            check_comparable(record(samples=512), record())


def test_a_real_machine(tmp_path: Path) -> None:
    """On the machine of this run the key names its CPU and is a folder's name."""
    found = fingerprint([], ["estimate"], Provenance.ESTIMATED, folder=tmp_path)
    assert found.fixed["cpu_model"] == cpu_model()
    assert found.varying["cpu_count"] == str(os.cpu_count())
    assert found.key.endswith("_estimate")
    assert "/" not in found.key
