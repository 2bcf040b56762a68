"""Makes data/siren_references.npz: what a SIREN in PyTorch computes and learns, and how it begins.

The weights are drawn by NumPy within the bounds of the reference implementation (`weights`), so
that they need not be stored. It runs where PyTorch is installed:

    python tests/models/make_siren_references.py

Measured with torch 2.13.0 (CPU).
"""

import math
from pathlib import Path

import numpy as np

LAYERS = ((2, 256), (256, 256), (256, 256), (256, 256), (256, 1))
OMEGA = 30.0


def bounds(number):
    """Returns the bounds of the weights and biases of a layer, as the reference draws them."""
    fan_in = LAYERS[number][0]
    weight = 1 / fan_in if number == 0 else math.sqrt(6 / fan_in) / OMEGA
    return weight, 1 / math.sqrt(fan_in)


def weights():
    """Returns a weight [fan_in, units] and a bias [units] of each layer, float32."""
    random = np.random.RandomState(0)  # Whose streams never change.
    return [
        (
            random.uniform(-w, w, shape).astype(np.float32),
            random.uniform(-b, b, shape[1:]).astype(np.float32),
        )
        for shape, (w, b) in zip(LAYERS, map(bounds, range(len(LAYERS))), strict=True)
    ]


def points():
    """Returns 16 coordinates in [-1, 1]^2, float32."""
    return np.random.RandomState(1).uniform(-1, 1, (16, 2)).astype(np.float32)


def picture():
    """Returns the coordinates of 16 x 16 pixels and their values, a few waves, float32."""
    axis = np.linspace(-1, 1, 16)
    grid = np.stack(np.meshgrid(axis, axis, indexing='ij'), -1).reshape(-1, 2)
    values = 0.5 * np.sin(3 * grid[:, :1]) * np.cos(4 * grid[:, 1:]) + 0.2 * np.sin(9 * grid[:, 1:])
    return grid.astype(np.float32), values.astype(np.float32)


def main():
    """Writes the file."""
    import torch

    class SineLayer(torch.nn.Module):
        def __init__(self, number):
            super().__init__()
            self.linear = torch.nn.Linear(*LAYERS[number])
            self.is_last = number == len(LAYERS) - 1
            bound, _ = bounds(number)
            torch.nn.init.uniform_(self.linear.weight, -bound, bound)

        def forward(self, inputs):
            outputs = self.linear(inputs)
            return outputs if self.is_last else torch.sin(OMEGA * outputs)

    def network():
        return torch.nn.Sequential(*(SineLayer(number) for number in range(len(LAYERS))))

    # What the reference initialisation makes: the spread of each tensor and of each layer's output.
    torch.manual_seed(0)
    tensors, outputs = [], []
    for _ in range(8):
        drawn = network()
        tensors.append([float(p.detach().std()) for p in drawn.parameters()])
        features, spread = torch.rand(4096, 2) * 2 - 1, []
        with torch.no_grad():
            for layer in drawn:
                features = layer(features)
                spread.append(float(features.std()))
        outputs.append(spread)

    model = network()
    with torch.no_grad():
        for layer, (weight, bias) in zip(model, weights(), strict=True):
            layer.linear.weight.copy_(torch.from_numpy(weight.T.copy()))
            layer.linear.bias.copy_(torch.from_numpy(bias))

    where = torch.from_numpy(points()).requires_grad_()
    values = model(where)
    (slope,) = torch.autograd.grad(values.sum(), where, create_graph=True)
    laplacian = sum(
        torch.autograd.grad(slope[:, k].sum(), where, retain_graph=True)[0][:, k] for k in (0, 1)
    )
    grid, target = map(torch.from_numpy, picture())
    torch.nn.functional.mse_loss(model(grid), target).backward()
    norms = [float(p.grad.norm()) for p in model.parameters()]

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(grid), target)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    np.savez_compressed(
        Path(__file__).parent / 'data/siren_references.npz',
        values=values.detach().numpy(),
        gradient=slope.detach().numpy(),
        laplacian=laplacian.detach().numpy(),
        weight_gradient_norms=np.array(norms),
        losses=np.array(losses),
        initial_tensors=np.mean(tensors, axis=0),
        initial_outputs=np.mean(outputs, axis=0),
    )


if __name__ == '__main__':
    main()
