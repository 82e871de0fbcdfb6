"""How large the benchmarks are: `quick` for two slow cores, `gpu` for one large GPU.

A profile fixes the whole work of a test, so records are comparable within one profile only.
"""

from benchmarks.cnn.steps import MODEL_STEPS
from benchmarks.profile_sizes import (
    DEFAULT_PROFILE,
    CnnProfile,
    LlmClosedLoop,
    LlmProfile,
    LlmSweep,
    PooledProfile,
    Profile,
    SweepProfile,
    SweptModel,
)

# What training steps cost on an H100 in docs/results/h100-first.json: at batch 128 ResNet-18 8.5 ms,
# MobileNetV2 20 ms, VGG-16 6.4 ms. Networks bound by launches there take 0.12 ms a layer; that gives step_s.
# image_s is the step at 128 images less what launches hide of it, by judgement.
GPU_SWEEP = SweepProfile(
    models=(
        SweptModel(model="resnet18", step_s=0.006, image_s=55e-6),
        SweptModel(model="mobilenet_v2", step_s=0.018, image_s=110e-6),
        SweptModel(model="vgg16", step_s=0.0055, image_s=40e-6),
    ),
    batch_sizes=(4, 16, 32, 64, 128, 256, 1024, 4096),
    round_s=0.4,
    rounds=5,
    warmup=1,
    max_time_s=30.0,
)

QUICK = Profile(
    name=DEFAULT_PROFILE,
    device="cpu",
    cnn=CnnProfile(
        models=(
            "squeezenet",
            "shufflenet_v2",
            "efficientnet_b0",
            "regnet_x_400mf",
            "vgg16",
            "resnet18",
        ),
        batch_size=6,
        train_steps=10,
        inference_steps=10,
        fit_steps=0,
        test_images=128,
        threads=1,  # two that wait for each other take up to ten times as long where something else runs
        rounds=5,
        warmup=1,
        max_time_s=30.0,
        sweep=SweepProfile(
            models=(SweptModel(model="mobilenet_v2", step_s=0.03, image_s=0.03),),
            batch_sizes=(2, 4),
            round_s=0.15,
            rounds=3,
            warmup=1,
            max_time_s=15.0,
        ),
    ),
    llm=LlmProfile(
        engine="transformers",
        model_sizes=("1M", "4M", "12M"),
        rates=(8.0, 32.0),
        arrival_s=1.0,
        least_requests=10,
        prompt_tokens=32,
        output_tokens=16,
        max_batch=32,
        rounds=4,
        warmup=1,
        max_time_s=20.0,
        sweep=LlmSweep(model_size="1M", rate=32.0, output_tokens=(4, 32), shared_shares=(0.0, 0.75)),
        closed_loop=LlmClosedLoop(model_size="1M", concurrency=8, requests=32),
        pooled=PooledProfile(
            model_sizes=("1M", "4M"),
            rates=(4.0, 8.0, 16.0),
            arrival_s=2.0,
            least_requests=12,
            prompt_tokens=32,
            plain_tokens=4,
            reasoning_tokens=12,
            rounds=2,
            max_time_s=20.0,
        ),
    ),
)

GPU = Profile(
    name="gpu",
    device="cuda",
    cnn=CnnProfile(
        models=(
            "lenet",
            "squeezenet",
            "shufflenet_v2",
            "mobilenet_v2",
            "efficientnet_b0",
            "regnet_x_400mf",
            "vgg16",
            "resnet18",
            "densenet121",
            "googlenet",
        ),
        batch_size=128,
        train_steps=100,
        inference_steps=200,
        fit_steps=100,
        test_images=10_000,
        threads=None,
        rounds=5,
        warmup=1,
        max_time_s=60.0,
        sweep=GPU_SWEEP,
    ),
    llm=LlmProfile(
        engine="vllm",
        quantization="fp8",
        model_sizes=("0.5B", "1B", "3B", "8B"),
        rates=(1.0, 4.0, 16.0, 64.0, 128.0),
        arrival_s=10.0,  # at 64/s 8B settles in 4 s: as much again and more must be left to count
        least_requests=20,
        prompt_tokens=128,
        output_tokens=128,
        max_batch=512,
        rounds=5,
        warmup=1,
        max_time_s=120.0,
        sweep=LlmSweep(
            model_size="1B",
            rate=16.0,
            output_tokens=(16, 32, 64, 256),
            shared_shares=(0.0, 0.5, 0.75),
        ),
        closed_loop=LlmClosedLoop(model_size="1B", concurrency=64, requests=512),
        # Reasoning multiplies the length of answers by ten (6,988 tokens after 717: ML.ENERGY leaderboard
        # 3.0). Loads of 8 s have no steady part with such answers, so both are shorter and their ratio is 4.
        pooled=PooledProfile(
            model_sizes=("0.5B", "1B", "3B", "8B"),
            rates=(1.0, 4.0, 16.0, 64.0, 256.0),
            arrival_s=8.0,
            least_requests=13,
            prompt_tokens=128,
            plain_tokens=32,
            reasoning_tokens=128,
            rounds=2,
            max_time_s=60.0,
        ),
        process_cores=1,
    ),
)

# The authors' forms of these are in the profile.
_OTHER_FORMS = ("mobilenet_v2", "efficientnet_b0", "vgg16", "googlenet")

PAPER = Profile(
    name="paper",
    device="cuda",
    cnn=CnnProfile(
        models=tuple(own.model for own in MODEL_STEPS if own.model not in _OTHER_FORMS),
        batch_size=128,
        train_steps=100,
        inference_steps=200,
        model_steps=MODEL_STEPS,
        fit_steps=60,
        test_images=10_000,
        threads=None,
        rounds=5,
        warmup=1,
        max_time_s=60.0,
        sweep=GPU_SWEEP,
        epoch_samples=50_000,  # CIFAR-10's training images
    ),
    llm=GPU.llm,
)

PROFILES = {profile.name: profile for profile in (QUICK, GPU, PAPER)}

AUTO = "auto"


def fitting() -> Profile:
    """The profile for this machine's hardware: `gpu` where torch sees a CUDA device, else `quick`."""
    try:
        import torch
    except ImportError:
        return QUICK
    return GPU if torch.cuda.is_available() else QUICK
