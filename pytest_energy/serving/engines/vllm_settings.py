"""What a vLLM engine is made with, checked before vLLM is imported, and vLLM's own names for it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.serving.engines.vllm_library import arg_utils, vllm

WORKER_EXTENSION = "pytest_energy.serving.engines.vllm_worker.WeightReport"


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmSettings:
    """The arguments of `VllmEngine` that vLLM has names of its own for; see there.

    Raises:
        SettingsError: The folder isn't there, or an argument is outside its range.
    """

    model: str
    load_format: str
    quantization: str | None
    data_type: str | None
    has_prefix_cache: bool
    tensor_parallel_size: int
    max_model_len: int | None
    max_batch: int
    gpu_memory_share: float | None
    enforce_eager: bool
    skip_tokenizer: bool

    def __post_init__(self) -> None:
        _check_model(self.model)
        for argument in ("tensor_parallel_size", "max_model_len", "max_batch"):
            count = getattr(self, argument)
            if count is not None and count < 1:
                raise SettingsError(f"{argument} is {count}; it must be at least 1")
        share = self.gpu_memory_share
        if share is not None and not 0 < share <= 1:
            raise SettingsError(f"gpu_memory_share is {share}; it must be above 0 and at most 1")

    def arguments(self, extra: Mapping[str, object]) -> dict[str, object]:
        """The arguments of vLLM's `AsyncEngineArgs`, *extra* included.

        Raises:
            SettingsError: A name in *extra* is one that is set here, or none of vLLM's.
        """
        own = self._arguments
        if both := sorted(extra.keys() & own.keys()):
            raise SettingsError(
                f"extra holds {', '.join(both)}, which VllmEngine sets itself; leave it out there"
            )
        if unknown := sorted(extra.keys() - {field.name for field in fields(arg_utils.AsyncEngineArgs)}):
            raise SettingsError(
                f"extra holds {', '.join(unknown)}, which vLLM {vllm.__version__} does not know; "
                "see AsyncEngineArgs"
            )
        return {**own, **extra}

    @property
    def _arguments(self) -> dict[str, object]:
        length, share = self.max_model_len, self.gpu_memory_share
        return {
            "model": self.model,
            "load_format": self.load_format,
            "quantization": self.quantization,
            "dtype": self.data_type or "auto",
            "enable_prefix_caching": self.has_prefix_cache,
            "tensor_parallel_size": self.tensor_parallel_size,
            "max_num_seqs": self.max_batch,
            "enforce_eager": self.enforce_eager,
            "skip_tokenizer_init": self.skip_tokenizer,
            "disable_log_stats": False,
            "worker_extension_cls": WORKER_EXTENSION,
            **({} if length is None else {"max_model_len": length}),
            **({} if share is None else {"gpu_memory_utilization": share}),
        }


def _check_model(model: str) -> None:
    """Refuse a folder without a configuration; what looks like no folder may be a name on a hub."""
    folder = Path(model)
    is_meant_as_folder = folder.is_absolute() or model.startswith((".", "~")) or folder.is_dir()
    if is_meant_as_folder and not (folder / "config.json").is_file():
        because = "holds no config.json" if folder.is_dir() else "is no folder"
        need = "give a folder with a config.json, or a name on a hub"
        raise SettingsError(f"engine vllm: model {model!r} {because}; {need}")
