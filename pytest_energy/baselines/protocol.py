"""What keeps baselines: a folder (`store.Store`), or what is behind a URL (`object_store.ObjectStore`)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import PurePath
from typing import Literal, Protocol

from pytest_energy.baselines.schema import KEPT_COUNT, Baseline
from pytest_energy.errors import BaselineError
from pytest_energy.model import Record

Mode = Literal["add", "replace"]


class NotWritable(BaselineError):
    """Nothing can be written here: neither this baseline nor another one."""


class BaselineStore(Protocol):
    """Baselines, each with its place: a file of the folder, or a folder of objects behind the URL.

    What can't be read is a `BaselineError`, and never an absent baseline.
    """

    @property
    def name(self) -> str:
        """The folder, or the URL without secrets."""

    @property
    def now(self) -> Callable[[], datetime]:
        """What time it is, with its zone."""

    def is_there(self) -> bool:
        """Whether there is such a folder; what is behind a URL may be empty."""

    def path(self, machine_key: str, test_id: str) -> PurePath:
        """Place of a baseline, whether it is there or not."""

    def shown(self, path: PurePath) -> str:
        """A place as people find it."""

    def paths(self) -> Sequence[PurePath]:
        """Places of all baselines, sorted."""

    def paths_of(self, test_id: str) -> Sequence[PurePath]:
        """Places of the baselines of a test, one a machine, sorted."""

    def test_ids(self) -> Mapping[PurePath, str]:
        """The test of each place of `paths()`."""

    def other_machines(self, test_id: str, *, besides: str | None = None) -> tuple[str, ...]:
        """Sorted keys of the machines, other than *besides*, that have a baseline of a test."""

    def load(self, machine_key: str, test_id: str) -> Baseline | None:
        """The baseline of a test on a machine, or `None` if there is none."""

    def load_each(self, machine_key: str, test_ids: Iterable[str]) -> Iterator[tuple[str, Baseline | None]]:
        """As `load` for each of *test_ids*, in their order."""

    def read(self, path: PurePath) -> Baseline:
        """The baseline at *path*, one of `paths()`."""

    def read_each(
        self, paths: Iterable[PurePath], *, is_whole: bool = False, takes_copies: bool = False
    ) -> Iterator[tuple[PurePath, Baseline | BaselineError]]:
        """The baseline at each of *paths*, or what is wrong with it.

        Args:
            paths: Of `paths()`.
            is_whole: With the sessions that a folder would have removed by now; what is damaged is then an
                error.
            takes_copies: Copies of many sessions in one object do for those objects.
        """

    def write(
        self, machine_key: str, test_id: str, records: Sequence[Record], mode: Mode, keep: int = KEPT_COUNT
    ) -> Baseline:
        """Add *records* to a baseline or put them in its place; returns what counts now."""

    def merge(self, baseline: Baseline) -> int:
        """Add the sessions of *baseline* that are not there yet, all of them; how many that are."""

    def reduce(self, path: PurePath, choose: Callable[[Baseline], Sequence[Record]]) -> int:
        """Leave of the baseline at *path* only the sessions that *choose* names; how many went."""

    def calibration_path(self, machine_key: str) -> PurePath:
        """Place of the calibration of a machine, whether it is there or not."""

    def calibration_paths(self) -> Sequence[PurePath]:
        """Places of all calibrations, sorted."""

    def content(self, path: PurePath, most_bytes: int) -> bytes:
        """What is at *path*, of a calibration.

        Raises:
            OSError: It can't be read, or has more than *most_bytes*.
        """

    def put(self, path: PurePath, content: bytes) -> None:
        """Put *content* at *path*, of a calibration.

        Raises:
            OSError: It can't be written.
        """
