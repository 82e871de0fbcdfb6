"""Whether a reading of a Ray cluster is the sum of its nodes, and void when one of them is killed.

    python -m benchmarks.ray.local OUT [--quick]

Starts a cluster of three nodes on this machine, each with a simulated GPU whose joules are known, and runs
`benchmarks/ray/test_nodes.py` there: five tests, of which the third kills a node with SIGKILL in its window.
Takes about 70 s; with --quick, two rounds of three of the tests, 30 s.

Rule 1: of 20 readings 19 are the sum of the nodes' truths within twice their standard uncertainty.
Rule 2: the window in which the node is killed is void and names the node.
Rule 3: the run goes on: a test on the nodes that are left is measured, one that asks for the lost one is not.

Writes OUT/ray-local.json and OUT/ray-local.md. Exit status: 0, or 1 where a rule is broken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import cluster_utils

from benchmarks.ray.simulated import FOLDER, IDLE_W, NODE, NodePower
from benchmarks.ray.test_nodes import ADDRESS, DEMANDS

ROOT = Path(__file__).parents[2]
TESTS = "benchmarks/ray/test_nodes.py"
_MOST_OUTSIDE = 0.05  # of two standard uncertainties, by their definition
UNHURT = ("test_all_nodes", "test_placement_group", "test_nodes_that_are_left")


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A cluster of the nodes of `DEMANDS`; its address."""
    os.environ["PYTHONPATH"] = str(ROOT)  # for the processes of the nodes
    nodes: Any = None  # much of Ray has no types
    for node in DEMANDS:
        NodePower(folder, node).rest()
        arguments: dict[str, Any] = {
            "num_cpus": 2,
            "node_name": node,
            "env_vars": {NODE: node, FOLDER: str(folder)},
        }
        if nodes is None:
            arguments["include_dashboard"] = False
            nodes = cluster_utils.Cluster(initialize_head=True, head_node_args=arguments)
        else:
            nodes.add_node(**arguments)
    try:
        yield nodes.address
    finally:
        nodes.shutdown()


QUICK = ("--energy-rounds=2", "--energy-void-retries=0", "-k", "not placement_group and not asks")


def run(address: str, folder: Path, *more: str) -> tuple[dict[str, Any], float]:
    """The document of the run of pytest, and the seconds that it took."""
    path = folder / "run.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "benchmarks.ray.simulated",
        "-p",
        "no:cacheprovider",
    ]
    command += [f"--energy-out={path}", "--energy-report", "--energy-trace=off", TESTS, *more]
    began_s = time.monotonic()
    variables = {**os.environ, ADDRESS: address, FOLDER: str(folder)}
    subprocess.run(command, cwd=ROOT, env=variables, check=False)  # noqa: S603  # fixed words
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document, time.monotonic() - began_s


def rows(test: Mapping[str, Any], truths: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Each round beside its truth: joules above idle power as the work says, and idle power all the time."""
    first = test["warmup_count"]
    return [
        {
            "test": test["id"].split("::")[1],
            "energy_j": round_["energy_j"],
            "truth_j": sum(truth.values()) + IDLE_W * len(truth) * round_["duration_s"],
            "uncertainty_j": round_["uncertainty_j"],
            "duration_s": round_["duration_s"],
            "channels": round_["channels"],
        }
        for round_, truth in zip(test["rounds"], truths[first : first + len(test["rounds"])], strict=True)
    ]


def result(document: Mapping[str, Any], folder: Path, took_s: float) -> dict[str, Any]:
    lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    notes = [json.loads(line) for line in lines]
    tests = {test["id"].split("::")[1]: test for test in document["tests"]}
    rounds = [
        row
        for name in UNHURT
        if name in tests
        for row in rows(tests[name], [note["joules"] for note in notes if note["test"] == name])
    ]
    verdicts = {
        name: {
            "verdict": test["verdict"],
            "because": test["void_because"] or test["unmeasured_because"],
            "machine": test.get("machine", document["machine"])["key"],
            "channels": sorted({name for one in test["rounds"] for name in one["channels"]}),
        }
        for name, test in tests.items()
    }
    return {"took_s": took_s, "rounds": rounds, "tests": verdicts, "broken": broken(rounds, verdicts)}


def broken(rounds: list[dict[str, Any]], tests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The rules that don't hold."""
    outside = [
        f"{row['test']}: {row['energy_j']} J, true {row['truth_j']} J, +- {row['uncertainty_j']} J"
        for row in rounds
        if row["energy_j"] is None or abs(row["energy_j"] - row["truth_j"]) > 2 * row["uncertainty_j"]
    ]
    sentences = outside if len(outside) > _MOST_OUTSIDE * len(rounds) else []
    if missing := sorted({"test_all_nodes", "test_node_is_killed", "test_nodes_that_are_left"} - {*tests}):
        return [*sentences, f"no result of {', '.join(missing)}"]
    for name, nodes in (("test_all_nodes", [*DEMANDS]), ("test_nodes_that_are_left", ["alpha", "beta"])):
        if tests[name]["channels"] != [f"gpu:0@{node}" for node in nodes]:
            sentences.append(f"{name}: {tests[name]}")
    killed, asks = tests["test_node_is_killed"], tests.get("test_asks_for_the_lost_node")
    if killed["verdict"] != "void" or not str(killed["because"]).startswith("gamma: "):
        sentences.append(f"the killed node: {killed}")
    if asks is not None and asks["verdict"] != "unmeasured":
        sentences.append(f"the test that asks for the lost node: {asks}")
    return sentences


def table(found: Mapping[str, Any]) -> str:
    lines = [
        "| test | verdict | rounds | joules per round | largest error | standard uncertainty |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name, test in found["tests"].items():
        own = [row for row in found["rounds"] if row["test"] == name and row["energy_j"] is not None]
        figures = ["-", "-", "-", "-"]
        if own:
            errors_j = [abs(row["energy_j"] - row["truth_j"]) for row in own]
            figures = [
                str(len(own)),
                f"{sum(row['energy_j'] for row in own) / len(own):.2f} J",
                f"{max(errors_j):.3f} J",
                f"{max(row['uncertainty_j'] for row in own):.3f} J",
            ]
        lines.append(f"| `{name}` | {test['verdict']} | {' | '.join(figures)} |")
    reasons = [f"- `{name}`: {test['because']}" for name, test in found["tests"].items() if test["because"]]
    return "\n".join([*lines, "", *reasons]) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with cluster(folder) as address:
            document, took_s = run(address, folder, *(QUICK if options.quick else ()))
        found = result(document, folder, took_s)
    (out / "ray-local.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    text = table(found)
    (out / "ray-local.md").write_text(text, encoding="utf-8")
    sys.stdout.write(text + "".join(f"BROKEN: {sentence}\n" for sentence in found["broken"]))
    return 1 if found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
