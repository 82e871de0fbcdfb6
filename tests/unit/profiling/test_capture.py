"""The calls of a model's layers in a real pass: what is kept of them, what they repeat, what goes wrong."""

import pytest
import torch
from torch import Tensor, nn

from pytest_energy.errors import EnergyError, NotMeasurable
from pytest_energy.profiling.capture import LayerCall, captured


class Keeps(nn.Module):
    """A layer that keeps what it is called with, as it was at the time."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[list[float]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.values.append(x.flatten().tolist())
        return x


def calls_of(module: nn.Module, x: Tensor, *, free_bytes: int | None = None) -> list[LayerCall]:
    return captured(module, (x,), {}, lambda _: free_bytes)


def replay(calls: list[LayerCall]) -> None:
    for call in calls:
        call.again()


class TestInputs:
    """What a layer is given in the replay."""

    def test_an_input_is_kept_as_it_was_at_the_call(self) -> None:
        """What is changed in place after a layer has read it is replayed as the layer read it."""

        class ChangesLater(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = Keeps()

            def forward(self, x: Tensor) -> Tensor:
                y = x + 1.0
                self.layer(y)
                y += 5.0
                z: Tensor = self.layer(y)
                return z

        module = ChangesLater()
        replay(calls_of(module, torch.zeros(1)))
        assert module.layer.values == [[1.0], [6.0]] * 2

    def test_the_same_tensor_stays_the_same_tensor(self) -> None:
        """Self-attention knows itself by query, key and value being one tensor: so they are in the replay."""

        class Attends(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

            def forward(self, x: Tensor) -> Tensor:
                y: Tensor = self.attention(x, x, x)[0]
                return y

        (call,) = calls_of(Attends(), torch.randn(2, 3, 4))
        query, key, value = call.args
        assert query is key is value

    def test_nested_inputs_are_copied(self) -> None:
        """Tensors in lists, tuples and mappings are captured; other values are handed on."""

        class Sums(nn.Module):
            def forward(self, many: list[tuple[Tensor, ...]], named: dict[str, Tensor], word: str) -> Tensor:
                return sum((x for group in many for x in group), named[word])

        class Outer(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.inner = Sums()

            def forward(self, x: Tensor) -> Tensor:
                total: Tensor = self.inner([(x, x + 1)], {"a": x + 2}, word="a")
                return total

        given = torch.tensor(1.0)
        (call,) = calls_of(Outer(), given)
        given += 10
        assert call.args == ([(torch.tensor(1.0), torch.tensor(2.0))], {"a": torch.tensor(3.0)})
        assert call.kwargs == {"word": "a"}

    def test_an_input_made_in_inference_mode_is_taken(self) -> None:
        """Such a tensor doesn't count its changes; it is captured all the same."""
        with torch.inference_mode():
            images = torch.ones(1, 2)
        calls = calls_of(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(2, 2)), images)
        assert [call.layer_type.value for call in calls] == ["activation", "linear"]


class TestErrors:
    """What can't be captured, with its place."""

    def test_a_wrong_shape_names_the_layer_and_the_shapes(self) -> None:
        """The layer that failed, what it was given, and what the example was."""
        module = nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.Linear(4, 3)))
        message = (
            r"layer '1\.0' \(Linear\) of Sequential can't take \[2, 5\]; "
            r"the example input is \[2, 4\]: RuntimeError"
        )
        with pytest.raises(EnergyError, match=message):
            calls_of(module, torch.ones(2, 4))

    def test_a_fault_between_layers_names_the_model(self) -> None:
        """Where no layer was running the model itself could not take it."""

        class Fails(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.reshape(7, 7)

        module = Fails()
        module.layer = nn.ReLU()
        with pytest.raises(EnergyError, match=r"Fails can't take \[2\]"):
            calls_of(module, torch.ones(2))

    def test_a_fault_that_the_model_catches_is_no_call(self) -> None:
        """A layer that was tried in vain has no input to be replayed with."""

        class Tries(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.wrong, self.right = nn.Linear(9, 9), nn.Linear(2, 2)
                self.outer = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                try:
                    y: Tensor = self.wrong(x)
                except RuntimeError:
                    y = self.right(x)
                return y

        module = Tries()
        assert [call.layer for call in calls_of(module, torch.ones(1, 2))] == [module.right]

    def test_too_little_memory(self) -> None:
        """The layer, what it wants and what is free; the forward pass ends there."""
        module = nn.Sequential(nn.Linear(2, 1000), nn.ReLU())
        with pytest.raises(
            NotMeasurable, match=r"at layer '1' 40 kB are needed and 10 kB are free on cpu, after 80 B"
        ):
            calls_of(module, torch.ones(10, 2), free_bytes=10_000)

    def test_no_layers(self) -> None:
        """A pass that calls no layer has no parts."""

        class Empty(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = nn.ReLU()

            def forward(self, x: Tensor) -> Tensor:
                return x + 1

        with pytest.raises(EnergyError, match="the forward pass of Empty calls none of its layers"):
            calls_of(Empty(), torch.ones(1))
