"""Train a small network on digits: a program of its own, as a project's script is.

Prints one line of JSON: the loss of the last batch.
"""

import argparse
import json

import torch
from torch import nn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    print(json.dumps({"loss": train(arguments)}))  # noqa: T201  # what a script is read by


def train(arguments: argparse.Namespace) -> float:
    """The loss after the last step, on images that are made up and labels that can be learned."""
    device, width = torch.device(arguments.device), arguments.width
    images = torch.randn(arguments.batch_size, 64, device=device)
    labels = images[:, :10].argmax(dim=1)
    network = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)).to(device)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(arguments.steps):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return float(loss)


if __name__ == "__main__":
    main()
