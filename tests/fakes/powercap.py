"""A powercap tree of files, with counters that a test moves."""

from pathlib import Path

INTEL_RANGE_UJ = 262_143_328_850
DRAM_RANGE_UJ = 65_712_999_613
AMD_RANGE_UJ = 65_532_610_987


class FakePowercap:
    """The tree, and how a sensor reads it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "powercap"
        self.root.mkdir()
        self._idle_uj: dict[Path, int] = {}
        self._mirrored: dict[Path, Path] = {}
        self.failures: dict[Path, OSError] = {}

    def add(
        self,
        zone: str,
        name: str,
        *,
        energy_uj: int = 1_000_000,
        range_uj: int = INTEL_RANGE_UJ,
        idle_uj: int = 1000,
        mirrors: str | None = None,
    ) -> Path:
        """Add a zone, whose counter gains *idle_uj* whenever it is read; returns the counter's file."""
        folder = self.root / zone
        folder.mkdir()
        (folder / "name").write_text(name + "\n")
        (folder / "max_energy_range_uj").write_text(f"{range_uj}\n")
        counter = folder / "energy_uj"
        counter.write_text(f"{energy_uj}\n")
        counter.chmod(0o400)
        self._idle_uj[counter] = idle_uj
        if mirrors is not None:
            self._mirrored[counter] = self.root / mirrors / "energy_uj"
        return counter

    def stop_idling(self) -> None:
        """From now on counters move only as the test says."""
        self._idle_uj = {}

    def read_text(self, path: Path) -> str:
        if path in self.failures:
            raise self.failures[path]
        source = self._mirrored.get(path, path)
        if idle_uj := self._idle_uj.get(source, 0):
            self.use(source, idle_uj)
        return source.read_text()

    def use(self, counter: Path, energy_uj: int) -> None:
        """Let *counter* count *energy_uj*, wrapping as the hardware does."""
        range_uj = int((counter.parent / "max_energy_range_uj").read_text())
        self.set(counter, (int(counter.read_text()) + energy_uj) % range_uj)

    def set(self, counter: Path, energy_uj: int) -> None:
        counter.write_text(f"{energy_uj}\n")
