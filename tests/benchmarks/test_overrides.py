"""What the options of the benchmarks change, and which tests they rename."""

import argparse
from pathlib import Path

import pytest

from benchmarks.cnn.models import ARCHITECTURES, PAPER_ARCHITECTURES
from benchmarks.cnn.recipe import EPOCHS, INFERENCE, INFERENCE_SWEEP, SERVING, SWEEP, TRAINING, Recipe
from benchmarks.conftest import _count, _counts, _decay, _rate
from benchmarks.profile_options import Overrides, chosen_dataset, chosen_models
from benchmarks.profiles import PAPER, QUICK


class TestOverrides:
    """What the command line changes of a profile."""

    def test_nothing_said_is_the_profile(self) -> None:
        """Without options the tests keep their names, so baselines are found."""
        assert Overrides().of(PAPER) == PAPER
        assert PAPER.case_id("vgg16") == "vgg16-paper"
        assert Overrides(batch_size=128, learning_rate=0.001, dataset="digits").of(PAPER) == PAPER

    def test_other_work_has_another_name(self) -> None:
        """Each change is in the ids of the tests whose work it changes, and in no other."""
        changed = Overrides(
            batch_size=64,
            learning_rate=0.01,
            steps=7,
            dataset="synthetic",
            is_amp=True,
            is_channels_last=True,
        ).of(PAPER)
        assert changed.case_id("vgg16", TRAINING) == (
            "vgg16-paper-batch64-lr0.01-steps7-synthetic-amp-channels_last"
        )
        assert changed.case_id("vgg16", INFERENCE) == (
            "vgg16-paper-batch64-steps7-synthetic-amp-channels_last"
        )
        assert changed.case_id("vgg16-4", SWEEP) == "vgg16-4-paper-lr0.01-synthetic-amp-channels_last"
        assert changed.case_id("vgg16-4", INFERENCE_SWEEP) == "vgg16-4-paper-synthetic-amp-channels_last"
        assert changed.case_id("1B@4", SERVING) == changed.case_id("1B@4") == "1B@4-paper"
        assert changed.cnn.train_steps_of("vgg16") == changed.cnn.inference_steps_of("vgg16") == 7

    def test_models_are_chosen_by_name_or_set(self) -> None:
        """Names, the paper's fourteen or all; a network's name is in its test's id already."""
        assert chosen_models(None) is None
        assert chosen_models("vgg16,lenet,vgg16") == ("vgg16", "lenet")
        assert chosen_models("paper") == PAPER_ARCHITECTURES
        assert chosen_models("all") == tuple(ARCHITECTURES)
        changed = Overrides(models=("vgg16",)).of(PAPER)
        assert (changed.cnn.models, changed.case_id("vgg16")) == (("vgg16",), "vgg16-paper")

    @pytest.mark.parametrize(
        ("text", "got"), [("vgg17", "Did you mean vgg16"), ("", "Got ''"), ("a,", "Got 'a'")]
    )
    def test_unknown_networks_are_refused(self, text: str, got: str) -> None:
        """The option, what it takes and the nearest name."""
        with pytest.raises(pytest.UsageError, match=f"--models must be one or more of lenet.*{got}"):
            chosen_models(text)

    def test_steps_of_the_fit_rename_nothing(self) -> None:
        """They are in no window: the accuracy is another, the joules are not."""
        changed = Overrides(fit_steps=400).of(PAPER)
        assert (changed.cnn.fit_steps, changed.case_id("vgg16")) == (400, "vgg16-paper")

    def test_a_recipe_names_the_tests_that_it_trains(self) -> None:
        """What is learnt with is named where networks learn; schedule, crops and loader in whole epochs."""
        recipe = Recipe(
            optimiser="adamw-fused",
            weight_decay=0.01,
            loss="label-smoothing",
            seed=3,
            is_normalised=True,
            schedule="cosine",
            is_augmented=True,
            loader="inside",
        )
        changed = Overrides(recipe=recipe).of(QUICK)
        learning = "lenet-adamw-fused-decay0.01-label-smoothing-seed3-normalised"
        assert changed.case_id("lenet", TRAINING) == changed.case_id("lenet", SWEEP) == learning
        assert changed.case_id("lenet", INFERENCE) == "lenet-seed3-normalised"
        assert changed.case_id("lenet", EPOCHS) == f"{learning}-cosine_schedule-augmented-loader_inside"
        assert changed.case_id("1M@8", SERVING) == "1M@8"

    def test_an_engine_renames_no_network(self) -> None:
        """GPUs and engine are those of the served models."""
        changed = Overrides(gpu_count=2, llm_engine="vllm").of(QUICK)
        assert changed.case_id("1M@8", SERVING) == "1M@8-2gpus-vllm"
        assert changed.case_id("lenet", TRAINING) == "lenet"

    def test_batch_sizes_are_the_sweeps(self) -> None:
        """They replace the sweep's and change no other test."""
        changed = Overrides(batch_sizes=(8, 16)).of(PAPER)
        assert changed.cnn.sweep.batch_sizes == (8, 16)
        assert changed.case_id("vgg16") == "vgg16-paper"

    @pytest.mark.parametrize("text", ["0", "-1", "2.5", "many", ""])
    def test_wrong_count(self, text: str) -> None:
        """A batch size or number of steps is a whole number of at least 1."""
        with pytest.raises(argparse.ArgumentTypeError, match="whole number of at least 1, not"):
            _count(text)

    @pytest.mark.parametrize("text", ["0", "-0.1", "nan", "inf", "fast"])
    def test_wrong_learning_rate(self, text: str) -> None:
        """A learning rate is a finite number above 0."""
        with pytest.raises(argparse.ArgumentTypeError, match="finite number above 0"):
            _rate(text)

    def test_sizes_are_sorted_once_each(self) -> None:
        """The sweep goes up, so that the first size out of memory ends it."""
        assert _counts("64,4,64,16") == (4, 16, 64)
        assert (_count("32"), _rate("1e-3")) == (32, 0.001)

    def test_dataset_and_folder_must_agree(self, tmp_path: Path) -> None:
        """CIFAR-10 needs its folder, and the folder is for nothing else."""
        assert chosen_dataset(None, tmp_path) == chosen_dataset("cifar10", tmp_path) == "cifar10"
        with pytest.raises(pytest.UsageError, match="--dataset=cifar10 needs --cifar10 DIR"):
            chosen_dataset("cifar10", None)
        with pytest.raises(pytest.UsageError, match="give one of them"):
            chosen_dataset("digits", tmp_path)

    @pytest.mark.parametrize("option", ["--schedule=step", "--augment", "--loader=inside"])
    def test_what_changes_epochs_alone_needs_them(self, option: str, pytester: pytest.Pytester) -> None:
        """An option that no test would follow stops the run, with what to add."""
        pytester.makepyfile("def test_nothing(): pass")
        arguments = ("-p", "benchmarks.conftest", "--bench-profile=quick", option)
        refused = pytester.runpytest_inprocess(*arguments)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        assert "add --epochs=N" in refused.stdout.str() + refused.stderr.str()
        pytester.runpytest_inprocess(*arguments, "--epochs=2").assert_outcomes(passed=1)

    def test_no_weight_decay_is_a_choice(self) -> None:
        """0 is taken; below it is not."""
        assert (_decay("0"), _decay("5e-4")) == (0.0, 0.0005)
        with pytest.raises(argparse.ArgumentTypeError, match="finite number above 0"):
            _decay("-1")
