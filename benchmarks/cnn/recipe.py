"""How the CNN tests train, and which tests a change of it concerns."""

from dataclasses import dataclass

OPTIMISERS = ("momentum", "sgd", "adam", "adamw", "adamw-fused")
LOSSES = ("cross-entropy", "label-smoothing")
SCHEDULES = ("none", "cosine", "step")
LOADERS = ("outside", "inside")

# Kinds of tests, as `Profile.case_id` takes them.
TRAINING, INFERENCE, EPOCHS = "training", "inference", "epochs"
SWEEP, INFERENCE_SWEEP, SERVING = "sweep", "inference sweep", "serving"
IMAGES = frozenset({TRAINING, INFERENCE, EPOCHS, SWEEP, INFERENCE_SWEEP})
LEARNING = frozenset({TRAINING, EPOCHS, SWEEP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an option changed.

    Attributes:
        word: Its part of a test's id.
        kinds: The tests whose work it changes.
    """

    word: str
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained; the defaults are the paper's, or the authors' code's.

    Attributes:
        optimiser: Out of `OPTIMISERS`; `momentum` is SGD with it, `sgd` without.
        weight_decay: Of the optimiser.
        loss: Out of `LOSSES`.
        seed: Of the weights and of the order of the images.
        is_normalised: Images less CIFAR-10's mean, over its standard deviation, by channel.
        schedule: Of the learning rate over the epochs, out of `SCHEDULES`.
        is_augmented: Images of an epoch are shifted by up to 4 pixels, and half of them mirrored.
        loader: `outside`: images lie on the device; `inside`: a DataLoader brings each batch there.
    """

    optimiser: str = "momentum"
    weight_decay: float = 5e-4
    loss: str = "cross-entropy"
    seed: int = 0
    is_normalised: bool = False
    schedule: str = "none"
    is_augmented: bool = False
    loader: str = "outside"

    def changes_from(self, before: "Recipe") -> tuple[Change, ...]:
        """What differs from *before*, for the ids of the tests that it concerns."""
        everywhere, learning, epochs = IMAGES, LEARNING, frozenset({EPOCHS})
        words = (
            (self.optimiser, before.optimiser, self.optimiser, learning),
            (self.weight_decay, before.weight_decay, f"decay{self.weight_decay:g}", learning),
            (self.loss, before.loss, self.loss, learning),
            (self.seed, before.seed, f"seed{self.seed}", everywhere),
            (self.is_normalised, before.is_normalised, "normalised", everywhere),
            (self.schedule, before.schedule, f"{self.schedule}_schedule", epochs),
            (self.is_augmented, before.is_augmented, "augmented", epochs),
            (self.loader, before.loader, f"loader_{self.loader}", epochs),
        )
        return tuple(Change(word=word, kinds=kinds) for now, then, word, kinds in words if now != then)
