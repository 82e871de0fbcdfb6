"""CUDA's list of devices: which GPUs a program sees, and by which numbers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

WHOLE_GPU = "its energy counter is the whole GPU's, so a slice can't be told from its neighbours"


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibleGpu:
    """One place in CUDA's list of devices.

    Attributes:
        position: CUDA's number for it.
        index: NVML's number for it, or `None` where it is none that can be read.
        refused_because: Why it can't be read, or `None`.
    """

    position: int
    index: int | None = None
    refused_because: str | None = None


def visible_gpus(setting: str | None, uuids: Sequence[str]) -> tuple[VisibleGpu, ...]:
    """The GPUs that CUDA sees, in its order.

    Args:
        setting: Value of `CUDA_VISIBLE_DEVICES`, or `None` where it isn't set.
        uuids: UUID of each GPU, in NVML's order.

    Source:
        CUDA Programming Guide, section CUDA_VISIBLE_DEVICES: indices or UUIDs that may be cut to a unique
        prefix; devices after the first invalid entry aren't seen; an empty list shows none.

    >>> [gpu.index for gpu in visible_gpus("2,1,-1,0", ["GPU-a", "GPU-b", "GPU-c"])]
    [2, 1]
    """
    if setting is None:
        return tuple(VisibleGpu(position=index, index=index) for index in range(len(uuids)))
    gpus: list[VisibleGpu] = []
    entries = [entry.strip() for entry in setting.split(",")] if setting.strip() else []
    for position, entry in enumerate(entries):
        if entry.startswith("-"):
            break
        gpu = _named_gpu(position, entry, uuids)
        if gpu.index is not None and any(gpu.index == other.index for other in gpus):
            reason = f"CUDA_VISIBLE_DEVICES names it twice ({entry}); its joules count once"
            gpu = VisibleGpu(position=position, refused_because=reason)
        gpus.append(gpu)
        if gpu.index is None and not entry.upper().startswith("MIG-"):
            break
    return tuple(gpus)


def _named_gpu(position: int, entry: str, uuids: Sequence[str]) -> VisibleGpu:
    if entry.upper().startswith("MIG-"):
        reason = f"{entry} is a MIG slice: {WHOLE_GPU}; use a whole GPU"
        return VisibleGpu(position=position, refused_because=reason)
    if entry.isdecimal():
        matches = [int(entry)] if int(entry) < len(uuids) else []
    else:
        prefix = entry.casefold()
        is_uuid = prefix.startswith("gpu-")
        matches = [i for i, uuid in enumerate(uuids) if is_uuid and uuid.casefold().startswith(prefix)]
    if len(matches) == 1:
        return VisibleGpu(position=position, index=matches[0])
    how_many = f"{len(matches)} GPUs" if matches else "no GPU"
    reason = (
        f"CUDA_VISIBLE_DEVICES holds {entry!r}, which names {how_many} here; CUDA sees nothing from there on"
    )
    return VisibleGpu(position=position, refused_because=reason)


def why_order_is_unknown(setting: str | None, order: str | None, models: Sequence[str]) -> str | None:
    """Why indices may mean other GPUs to CUDA than to NVML, or `None`.

    NVML counts in PCI bus order; CUDA does so only under `CUDA_DEVICE_ORDER=PCI_BUS_ID` and otherwise puts
    the fastest first. With GPUs of one model both orders are the same; with several, an index that picks
    some of them could have us read a GPU that does nothing.

    Args:
        setting: Value of `CUDA_VISIBLE_DEVICES`, or `None` where it isn't set.
        order: Value of `CUDA_DEVICE_ORDER`, or `None`.
        models: Name of each GPU, in NVML's order.
    """
    picks_by_index = setting is not None and any(entry.strip().isdecimal() for entry in setting.split(","))
    if not picks_by_index or order == "PCI_BUS_ID" or len(set(models)) <= 1:
        return None
    return (
        f"CUDA_VISIBLE_DEVICES={setting} counts GPUs of different models ({', '.join(models)}) "
        "in CUDA's order, NVML in PCI bus order: "
        "set CUDA_DEVICE_ORDER=PCI_BUS_ID or name the GPUs by UUID"
    )
