"""How much of the active joules of four works their operators explain: ResNet-18 and a ViT, pass and step.

    python benchmarks/layers/operators.py --out operators.json [ARGUMENTS OF PYTEST]

On an H100 about 100 s. The file is written anew after each work, so that what is known stays. Asked of each
is a share of 90 to 110 %; the exit status is 1 where a work misses that, or has no share.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_energy import OperatorEnergy

ASKED_SHARE = (0.9, 1.1)
WORK_COUNT = 4
KEPT = "benchmark-operators"
"""What the plugin is called that writes results as they come."""

_ROOT = Path(__file__).parents[2]


class Kept:
    """A plugin of pytest that the tests hand their results to; they are in the file at once.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.__name__ = KEPT  # pytest registers it by this
        self._path = path
        self._works: dict[str, dict[str, Any]] = {}
        self._write()

    def add(self, name: str, result: "OperatorEnergy") -> None:
        """Write *result* beside those so far."""
        self._works[name] = {
            "explained_share": result.explained_share,
            "explained_share_uncertainty": result.explained_share_uncertainty,
            "explained_time_share": result.explained_time_share,
            "absent_because": result.absent_because,
            "stage_shares": {str(stage): share for stage, share in result.stage_shares.items()},
            "whole": asdict(result.whole),
            "parts": [{**asdict(part), "stage": str(part.stage)} for part in result.parts],
            "notes": list(result.notes),
        }
        self._write()

    @property
    def misses(self) -> dict[str, float | None]:
        """Share explained of the works that are not within what is asked, by name."""
        shares = {name: work["explained_share"] for name, work in self._works.items()}
        low, high = ASKED_SHARE
        return {name: share for name, share in shares.items() if share is None or not low <= share <= high}

    @property
    def is_complete(self) -> bool:
        """Whether all works have come to their end."""
        return len(self._works) == WORK_COUNT

    def _write(self) -> None:
        document = {"asked_share": ASKED_SHARE, "works": self._works}
        self._path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the shares go")
    options, words = parser.parse_known_args(arguments)
    kept = Kept(options.out)
    sys.path.insert(0, str(_ROOT))
    status = pytest.main(
        [
            str(Path(__file__).with_name("test_operators.py")),
            f"--rootdir={_ROOT}",
            "--energy-baseline=off",
            "--energy-yardstick=off",
            "-s",
            *words,
        ],
        plugins=[kept],
    )
    for name, share in kept.misses.items():
        told = "no share" if share is None else f"{100 * share:.1f} %"
        sys.stdout.write(f"{name}: {told}, expected were 90 to 110 %\n")
    return 0 if status == 0 and kept.is_complete and not kept.misses else 1


if __name__ == "__main__":
    sys.exit(main())
