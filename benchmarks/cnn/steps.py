"""Steps in one round of each network, so that a round takes about 1.1 s on an H100."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSteps:
    """Steps in one round of one model, where a profile gives each its own."""

    model: str
    train_steps: int
    inference_steps: int


# Milliseconds of a step at batch 128 on an H100, (training, inference), from docs/results/h100-first.json.
# The networks that weren't in that run are estimates: 0.12 and 0.028 ms a layer where launches bound them (as
# in ShuffleNet, EfficientNet and RegNet there), else by MACs at 40 TFLOP/s, three times that for training.
MODEL_STEPS = (
    ModelSteps(model="lenet", train_steps=500, inference_steps=4000),  # 2.4, 0.29
    ModelSteps(model="mobilenet", train_steps=100, inference_steps=450),  # 10, 2.4 estimated
    ModelSteps(model="mobilenet_v2", train_steps=50, inference_steps=240),  # 20, 4.8
    ModelSteps(model="mobilenet_v2_authors", train_steps=50, inference_steps=220),  # 21, 5 estimated
    ModelSteps(model="efficientnet_b0", train_steps=40, inference_steps=160),  # 28, 7.1
    ModelSteps(model="efficientnet_b0_authors", train_steps=40, inference_steps=160),  # 28, 7 estimated
    ModelSteps(model="simple_dla", train_steps=60, inference_steps=240),  # 17, 4.5 estimated
    ModelSteps(model="resnet18", train_steps=130, inference_steps=480),  # 8.5, 2.4
    ModelSteps(model="preact_resnet18", train_steps=130, inference_steps=450),  # 8.5, 2.4 estimated
    ModelSteps(model="vgg16", train_steps=180, inference_steps=700),  # 6.4, 1.6
    ModelSteps(model="vgg19_authors", train_steps=140, inference_steps=560),  # 8, 2 estimated
    ModelSteps(model="googlenet", train_steps=40, inference_steps=120),  # 33, 9.4
    ModelSteps(model="googlenet_authors", train_steps=40, inference_steps=110),  # 33, 9.8 estimated
    ModelSteps(model="densenet121", train_steps=20, inference_steps=90),  # 53, 13
    ModelSteps(model="resnext29_2x64d", train_steps=30, inference_steps=110),  # 33, 9.2 estimated
    ModelSteps(model="senet18", train_steps=90, inference_steps=360),  # 12, 2.9 estimated
    ModelSteps(model="regnet_x_200mf", train_steps=60, inference_steps=290),  # 17, 3.7 estimated
    ModelSteps(model="dpn26", train_steps=60, inference_steps=240),  # 18, 4.5 estimated
    ModelSteps(model="vit_tiny", train_steps=70, inference_steps=240),  # 15, 4.5 estimated
    ModelSteps(model="swin_t", train_steps=30, inference_steps=120),  # 32, 9 estimated
    ModelSteps(model="convnext_t", train_steps=40, inference_steps=180),  # 25, 6 estimated
    ModelSteps(model="bert_small", train_steps=60, inference_steps=210),  # 17, 5 estimated
)
