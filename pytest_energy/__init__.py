"""pytest-energy: gate the energy of machine-learning code, test by test.

The names in `__all__` are public and stay. Every module below is private: it may change in any release.

Rule 1: `import pytest_energy` imports nothing else; a name is imported at its first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for type checkers and editors; `__getattr__` gives the same at run time
    from pytest_energy.analysis import load
    from pytest_energy.command import CommandError, CommandResult
    from pytest_energy.errors import (
        Absent,
        BaselineError,
        EnergyDeprecationWarning,
        EnergyError,
        EnergyWarning,
        FormatError,
        NotComparable,
        NotMeasurable,
        Reason,
        SensorError,
        SensorUnavailable,
        SettingsError,
    )
    from pytest_energy.judgement import Budget, Comparison, Judgement, Summary, Verdict
    from pytest_energy.model import (
        Channel,
        Domain,
        Machine,
        Phase,
        Provenance,
        Reading,
        Record,
        SensorStatus,
    )
    from pytest_energy.plugin.fixture import Energy
    from pytest_energy.plugin.windows import Window
    from pytest_energy.profiling.costs import Cost
    from pytest_energy.profiling.layers import LayerEnergy, LayerPart
    from pytest_energy.profiling.operators import OperatorEnergy, OperatorPart
    from pytest_energy.sensors.protocol import Facts, Sensor
    from pytest_energy.serving.arrivals import Schedule
    from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
    from pytest_energy.serving.engines.protocol import Engine, EngineError, Stop
    from pytest_energy.serving.engines.transformers_engine import TransformersEngine
    from pytest_energy.serving.engines.vllm_engine import VllmEngine
    from pytest_energy.serving.load_result import LoadResult
    from pytest_energy.serving.policies.changing_load import ChangingLoad
    from pytest_energy.serving.policies.made import AdaptiveBatch, Cascade, FixedBatch
    from pytest_energy.serving.policies.protocol import Policy
    from pytest_energy.serving.policies.result import PolicyResult
    from pytest_energy.serving.prompts import PromptSet, drawn_lengths, prompt_file, random_tokens
    from pytest_energy.serving.slo import Slo
    from pytest_energy.stats.operating_point import OperatingPoint, SweptSetting
    from pytest_energy.stats.to_accuracy import Epoch, ToAccuracy
    from pytest_energy.training.result import UntilResult
    from pytest_energy.usage import Usage

__all__ = [
    "Absent",
    "AdaptiveBatch",
    "BaselineError",
    "Budget",
    "Cascade",
    "ChangingLoad",
    "Channel",
    "CommandError",
    "CommandResult",
    "Comparison",
    "Cost",
    "Domain",
    "Energy",
    "EnergyDeprecationWarning",
    "EnergyError",
    "EnergyWarning",
    "Engine",
    "EngineError",
    "Epoch",
    "Facts",
    "FixedBatch",
    "FormatError",
    "Judgement",
    "LayerEnergy",
    "LayerPart",
    "LoadResult",
    "Machine",
    "NotComparable",
    "NotMeasurable",
    "OpenAiEndpoint",
    "OperatingPoint",
    "OperatorEnergy",
    "OperatorPart",
    "Phase",
    "Policy",
    "PolicyResult",
    "PromptSet",
    "Provenance",
    "Reading",
    "Reason",
    "Record",
    "Schedule",
    "Sensor",
    "SensorError",
    "SensorStatus",
    "SensorUnavailable",
    "SettingsError",
    "Slo",
    "Stop",
    "Summary",
    "SweptSetting",
    "ToAccuracy",
    "TransformersEngine",
    "UntilResult",
    "Usage",
    "Verdict",
    "VllmEngine",
    "Window",
    "drawn_lengths",
    "load",
    "prompt_file",
    "random_tokens",
]

_MODULES = {
    "pytest_energy.analysis": ("load",),
    "pytest_energy.command": ("CommandError", "CommandResult"),
    "pytest_energy.errors": (
        "Absent",
        "BaselineError",
        "EnergyDeprecationWarning",
        "EnergyError",
        "EnergyWarning",
        "FormatError",
        "NotComparable",
        "NotMeasurable",
        "Reason",
        "SensorError",
        "SensorUnavailable",
        "SettingsError",
    ),
    "pytest_energy.judgement": ("Budget", "Comparison", "Judgement", "Summary", "Verdict"),
    "pytest_energy.model": (
        "Channel",
        "Domain",
        "Machine",
        "Phase",
        "Provenance",
        "Reading",
        "Record",
        "SensorStatus",
    ),
    "pytest_energy.plugin.fixture": ("Energy",),
    "pytest_energy.plugin.windows": ("Window",),
    "pytest_energy.profiling.costs": ("Cost",),
    "pytest_energy.profiling.layers": ("LayerEnergy", "LayerPart"),
    "pytest_energy.profiling.operators": ("OperatorEnergy", "OperatorPart"),
    "pytest_energy.sensors.protocol": ("Facts", "Sensor"),
    "pytest_energy.serving.arrivals": ("Schedule",),
    "pytest_energy.serving.engines.openai_endpoint": ("OpenAiEndpoint",),
    "pytest_energy.serving.engines.protocol": ("Engine", "EngineError", "Stop"),
    "pytest_energy.serving.engines.transformers_engine": ("TransformersEngine",),
    "pytest_energy.serving.engines.vllm_engine": ("VllmEngine",),
    "pytest_energy.serving.load_result": ("LoadResult",),
    "pytest_energy.serving.policies.changing_load": ("ChangingLoad",),
    "pytest_energy.serving.policies.made": ("AdaptiveBatch", "Cascade", "FixedBatch"),
    "pytest_energy.serving.policies.protocol": ("Policy",),
    "pytest_energy.serving.policies.result": ("PolicyResult",),
    "pytest_energy.serving.prompts": ("PromptSet", "drawn_lengths", "prompt_file", "random_tokens"),
    "pytest_energy.serving.slo": ("Slo",),
    "pytest_energy.stats.to_accuracy": ("Epoch", "ToAccuracy"),
    "pytest_energy.training.result": ("UntilResult",),
    "pytest_energy.stats.operating_point": ("OperatingPoint", "SweptSetting"),
    "pytest_energy.usage": ("Usage",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'pytest_energy' has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
