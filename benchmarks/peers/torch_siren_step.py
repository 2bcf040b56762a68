"""Training steps of the SIREN of the paper on the pixels of a picture, in torch."""

import argparse
import math

import torch
from turns import serve

_OMEGA = 30.0


class Sine(torch.nn.Module):
    """sin(omega (x W + b)), written in that way, or with omega multiplied into W and b."""

    def __init__(self, fan_in: int, units: int, bound: float, folded: bool):
        super().__init__()
        self.linear = torch.nn.Linear(fan_in, units)
        torch.nn.init.uniform_(self.linear.weight, -bound, bound)
        self.folded = folded

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Returns the sines."""
        if not self.folded:
            return torch.sin(_OMEGA * self.linear(inputs))
        weight, bias = _OMEGA * self.linear.weight, _OMEGA * self.linear.bias
        return torch.sin(torch.nn.functional.linear(inputs, weight, bias))


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--size', type=int, required=True, help='rows and columns of the picture')
    parser.add_argument('--threads', type=int, required=True)
    parser.add_argument('--variant', choices=('reference', 'folded'), required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    bound = math.sqrt(6 / 256) / _OMEGA
    folded = args.variant == 'folded'
    last = torch.nn.Linear(256, 1)
    torch.nn.init.uniform_(last.weight, -bound, bound)
    model = torch.nn.Sequential(
        Sine(2, 256, 1 / 2, folded), *(Sine(256, 256, bound, folded) for _ in range(3)), last
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)
    axis = torch.linspace(-1, 1, args.size)
    points = torch.stack(torch.meshgrid(axis, axis, indexing='ij'), -1).reshape(-1, 2)
    values = torch.rand(args.size**2, 1) * 2 - 1

    def work(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.mse_loss(model(points), values).backward()
            optimizer.step()

    work(2)
    serve(work)


if __name__ == '__main__':
    main()
