"""A hwmon tree of files, as boards have it, whose values a test sets."""

from pathlib import Path


class FakeHwmon:
    """The tree, and how a sensor reads it."""

    def __init__(self, root: Path) -> None:
        self.root = root / "hwmon"
        self.root.mkdir()
        self.failures: dict[Path, OSError] = {}
        self._idle_uj: dict[Path, int] = {}

    def add(self, chip: str, **files: object) -> Path:
        """Add a chip with *files*; returns its folder."""
        folder = self.root / f"hwmon{len(list(self.root.iterdir()))}"
        folder.mkdir()
        for name, value in {"name": chip, **files}.items():
            (folder / name).write_text(f"{value}\n")
        return folder

    def add_ina3221(self, *rails: tuple[str, int, int], **files: object) -> Path:
        """Add a monitor with *rails* of a label, millivolts and milliamperes."""
        of_rails = {
            name: value
            for number, (label, millivolts, milliamperes) in enumerate(rails, 1)
            for name, value in (
                (f"in{number}_label", label),
                (f"in{number}_input", millivolts),
                (f"curr{number}_input", milliamperes),
            )
        }
        return self.add("ina3221", **of_rails, **files)

    def add_meter(self, oem_info: str, power_w: float, *, interval_ms: int = 50) -> Path:
        """Add an ACPI power meter, whose files are in the folder of its device, its name among them."""
        folder = self.add("")
        (folder / "name").unlink()
        (folder / "device").mkdir()
        for name, value in (
            ("name", "power_meter"),
            ("power1_oem_info", oem_info),
            ("power1_average", round(power_w * 1e6)),
            ("power1_average_interval", interval_ms),
        ):
            (folder / "device" / name).write_text(f"{value}\n")
        return folder / "device"

    def add_amdgpu(self, unique_id: str = "a1b2c3d4e5f60001", **files: object) -> Path:
        """Add a card of the driver `amdgpu`, whose number is in the folder of its device."""
        folder = self.add("amdgpu", **files)
        (folder / "device").mkdir()
        (folder / "device" / "unique_id").write_text(f"{unique_id}\n")
        return folder

    def idle(self, counter: Path, energy_uj: int) -> None:
        """Let *counter* gain *energy_uj* whenever it is read."""
        self._idle_uj[counter] = energy_uj

    def read_text(self, path: Path) -> str:
        if path in self.failures:
            raise self.failures[path]
        if idle_uj := self._idle_uj.get(path, 0):
            path.write_text(f"{int(path.read_text()) + idle_uj}\n")
        return path.read_text()
