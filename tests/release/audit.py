"""What is known against the packages that ours brings along, and the newest release of each that it names.

    python tests/release/audit.py

Rule 1: a vulnerability that a later release mends is a failure: what was installed should be that release.
One that nothing mends is told.
Rule 2: who can't be asked is told too, and is no failure: that says nothing about a package.

Exit status: 0, or 1 under rule 1.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "pytest-energy"
TOOLS = frozenset({"dev", "docs", "release", "audit"})  # extras that no user of the package needs
_MOST_WAIT_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What those who keep vulnerabilities say.

    Attributes:
        lines: For people.
        is_failing: Whether there is one that a later release mends.
    """

    lines: tuple[str, ...]
    is_failing: bool = False


def main() -> int:
    """Ask, and print what comes."""
    named = [*_named()]
    versions = installed(named)
    answer = vulnerabilities(versions)
    with ThreadPoolExecutor(4) as pool:
        newest = pool.map(_newest, named)
        lines = [
            f"{name}: {versions.get(name, 'not installed')}, newest {release or 'release not known'}"
            for name, release in zip(named, newest, strict=True)
        ]
    print(*(f"audit: {line}" for line in (*lines, *answer.lines)), sep="\n", flush=True)
    return int(answer.is_failing)


def _named() -> Iterator[str]:
    """The packages that the project's metadata names, less those for its developers."""
    requirements = [Requirement(text) for text in metadata.requires(PROJECT) or ()]
    extras = set(metadata.metadata(PROJECT).get_all("Provides-Extra") or ()) - TOOLS
    names = dict.fromkeys(
        canonicalize_name(one.name)
        for one in requirements
        if any(one.marker is None or one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    )
    return iter(names)


def installed(named: Iterable[str]) -> dict[str, str]:
    """The version of each of *named* that is installed, and of all that it needs, by name."""
    versions: dict[str, str] = {}
    rest = [*named]
    while rest:
        name = canonicalize_name(rest.pop())
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        if name not in versions:
            versions[name] = distribution.version
            needs = map(Requirement, distribution.requires or ())
            rest += (one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""}))
    return versions


def _newest(name: str) -> str | None:
    """The newest release of the package on pip's index."""
    command = (sys.executable, "-m", "pip", "index", "versions", name)
    text = _output(*command)
    release = re.match(r"\S+ \((\S+)\)", text)
    return release and release[1]


# ---- vulnerabilities ----


def vulnerabilities(versions: Mapping[str, str]) -> Answer:
    """What is known against *versions*."""
    with tempfile.TemporaryDirectory(prefix="audit-") as folder:
        pins = Path(folder) / "pins.txt"
        # A local version, such as a build of torch for CPUs, is known by its public one.
        lines = (f"{name}=={version.partition('+')[0]}\n" for name, version in sorted(versions.items()))
        pins.write_text("".join(lines))
        options = ("--requirement", pins, "--no-deps", "--disable-pip", "--format=json", "--desc=off")
        return answer_of(_output(sys.executable, "-m", "pip_audit", *options, "--progress-spinner=off"))


def answer_of(report: str) -> Answer:
    """What *report*, the JSON of pip-audit, says; it is empty where pip-audit got no answer."""
    packages = json.loads(report or "{}").get("dependencies", ())
    unknown = [one["name"] for one in packages if "skip_reason" in one]
    if len(unknown) == len(packages):
        return Answer(lines=("vulnerabilities: not known, no service answered",))
    lines, is_failing = [], False
    for package in packages:
        for known in package.get("vulns", ()):
            mended = ", ".join(known["fix_versions"])
            is_failing |= bool(mended)
            remedy = f"mended in {mended}: take that" if mended else "no release mends it"
            lines.append(f"VULNERABLE: {package['name']} {package['version']}: {known['id']}, {remedy}")
    asked = len(packages) - len(unknown)
    lines.append(f"vulnerabilities: {len(lines)} known, of {asked} packages asked about")
    if unknown:
        lines.append(f"not known, no service answered about {len(unknown)}: {', '.join(unknown)}")
    return Answer(lines=tuple(lines), is_failing=is_failing)


def _output(*command: object) -> str:
    """Standard output of *command*; empty where it takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=_MOST_WAIT_S)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
