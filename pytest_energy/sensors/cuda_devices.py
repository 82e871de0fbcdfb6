"""CUDA's list of devices: which GPUs a program sees, and by which numbers. Pure."""

from collections.abc import Sequence

WHOLE_GPU = "its energy counter is the whole GPU's, so a slice can't be separated from its neighbours"


def visible_gpus(
    setting: str | None, uuids: Sequence[str], variable: str = "CUDA_VISIBLE_DEVICES"
) -> list[int | str]:
    """NVML's index of each GPU that CUDA sees, in CUDA's order; why it can't be read in place of some.

    ROCm's variables have the same form, with the index of `amdsmi`.

    Args:
        setting: Value of *variable*, or `None` if it isn't set.
        uuids: UUID of each GPU, in NVML's order.
        variable: Name of the variable.

    Source:
        CUDA Programming Guide, section CUDA_VISIBLE_DEVICES: indices or UUIDs that may be cut to a unique
        prefix; devices after the first invalid entry aren't seen; an empty list shows none. ROCm, GPU
        isolation techniques.

    >>> visible_gpus("2,1,-1,0", ["GPU-a", "GPU-b", "GPU-c"])
    [2, 1]
    """
    if setting is None:
        return list(range(len(uuids)))
    gpus: list[int | str] = []
    entries = [entry.strip() for entry in setting.split(",")] if setting.strip() else []
    for entry in entries:
        if entry.startswith("-"):
            break
        gpu = _named_gpu(entry, uuids, variable)
        if isinstance(gpu, int) and gpu in gpus:
            gpu = f"{variable} names it twice ({entry}); its joules count once"
        gpus.append(gpu)
        if isinstance(gpu, str) and not entry.upper().startswith("MIG-"):
            break
    return gpus


def _named_gpu(entry: str, uuids: Sequence[str], variable: str) -> int | str:
    if entry.upper().startswith("MIG-"):
        return f"{entry} is a MIG slice: {WHOLE_GPU}; use a whole GPU, or estimate it: --energy-sensors=mig"
    if entry.isdecimal():
        matches = [int(entry)] if int(entry) < len(uuids) else []
    else:
        prefix = entry.casefold()
        is_uuid = prefix.startswith("gpu-")
        matches = [i for i, uuid in enumerate(uuids) if is_uuid and uuid.casefold().startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    how_many = f"{len(matches)} GPUs" if matches else "no GPU"
    return f"{variable} holds {entry!r}, which names {how_many} here; it and all after it are ignored"


def why_order_is_unknown(setting: str | None, order: str | None, models: Sequence[str]) -> str | None:
    """Why indices may mean other GPUs to CUDA than to NVML, or `None`.

    NVML counts in PCI bus order; CUDA does so only under `CUDA_DEVICE_ORDER=PCI_BUS_ID` and otherwise puts
    the fastest first. With GPUs of one model both orders are the same; with several, an index that picks
    some of them could have us read a GPU that does nothing. *models* names each GPU, in NVML's order.
    """
    picks_by_index = setting is not None and any(entry.strip().isdecimal() for entry in setting.split(","))
    if not picks_by_index or order == "PCI_BUS_ID" or len(set(models)) <= 1:
        return None
    return (
        f"CUDA_VISIBLE_DEVICES={setting} counts GPUs of different models ({', '.join(models)}) "
        "in CUDA's order, NVML in PCI bus order: "
        "set CUDA_DEVICE_ORDER=PCI_BUS_ID or name the GPUs by UUID"
    )
