"""The paper's correlations of metrics with energy, for comparison.

Source:
    Sanchez-Mompo, Mavromatis, Li, Katsaros, Khan: Green MLOps to Green GenOps: An Empirical Study of Energy
    Consumption in Discriminative and Generative AI Operations. Information 2025, 16(4), 281.
"""

from collections.abc import Mapping

# Spearman's rho with the total energy, over models; the paper gives one table for training and inference.
_TABLE_3: Mapping[str, Mapping[str, float]] = {
    "HC-1": {
        "energy_per_sample": 1.0,
        "macs_param": 0.902342,
        "model_size_to_ram": 0.521170,
        "overall_efficiency": -0.439481,
        "work_per_unit_power": -0.311792,
        "gpu_energy_scaling_factor": 0.229738,
        "energy_scaling_factor": -0.039773,
        "parameters": 0.200979,
        "work_done": 0.021486,
    },
    "HC-2": {
        "energy_per_sample": 1.0,
        "macs_param": 0.915271,
        "model_size_to_ram": 0.212621,
        "overall_efficiency": -0.340809,
        "work_per_unit_power": -0.388402,
        "gpu_energy_scaling_factor": 0.196945,
        "energy_scaling_factor": -0.106112,
        "parameters": 0.212926,
        "work_done": -0.052404,
    },
    "HC-3": {
        "energy_per_sample": 1.0,
        "macs_param": 0.852587,
        "model_size_to_ram": 0.457989,
        "overall_efficiency": -0.592853,
        "work_per_unit_power": -0.691502,
        "gpu_energy_scaling_factor": 0.390812,
        "energy_scaling_factor": -0.109445,
        "parameters": 0.142314,
        "work_done": -0.387764,
    },
}

# Spearman's rho with the energy of a request, over models and request rates; section 6.2.2.
_GENERATIVE_TABLE: Mapping[str, Mapping[str, float]] = {
    "HC-4": {
        "energy_per_sample": 1.0,
        "flops": 0.32,
        "model_size_to_ram": 0.32,
        "parameters": 0.32,
        "request_rate": -0.95,
        "average_output_token_length": -0.26,
        "cache_hit_rate": -0.32,
    }
}

# Group of tests to hardware to metric to the paper's rho. HC-1: RTX 3080; HC-2: RTX 3090; HC-3: RTX A2000;
# HC-4: 2 x H100.
PAPER_RHO: Mapping[str, Mapping[str, Mapping[str, float]]] = {
    "training": _TABLE_3,
    "inference": _TABLE_3,
    "requests": _GENERATIVE_TABLE,
    "pooled": _GENERATIVE_TABLE,
}
