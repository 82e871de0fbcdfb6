"""Policies of serving: how many waiting requests are taken at once, and what answers them."""

from pytest_energy.serving.policies.changing_load import ChangingLoad
from pytest_energy.serving.policies.made import AdaptiveBatch, Cascade, FixedBatch
from pytest_energy.serving.policies.protocol import Policy
from pytest_energy.serving.policies.result import PolicyResult, PolicySide

__all__ = [
    "AdaptiveBatch",
    "Cascade",
    "ChangingLoad",
    "FixedBatch",
    "Policy",
    "PolicyResult",
    "PolicySide",
]
