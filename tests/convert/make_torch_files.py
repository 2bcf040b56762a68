"""Makes the small files of data/ that `torch.save` wrote; runs where PyTorch is installed.

    python tests/convert/make_torch_files.py

The files in the repository are of torch 2.13.0.
"""

import argparse
import collections
import pathlib

import torch

DATA = pathlib.Path(__file__).parent / 'data'


def tensors() -> dict[str, torch.Tensor]:
    grid = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    return {
        'float32': grid,
        'transposed': grid.permute(2, 0, 1),
        'part': grid[1, 1:],
        'parameter': torch.nn.Parameter(torch.tensor([0.5, -0.25])),
        'float64': torch.tensor([1 / 3, -2.0], dtype=torch.float64),
        'float16': torch.tensor([1.5, -0.1], dtype=torch.float16),
        'bfloat16': torch.tensor([1.5, -0.1], dtype=torch.bfloat16),
        'int64': torch.tensor(2**40),
        'uint8': torch.tensor([0, 255], dtype=torch.uint8),
        'bool': torch.tensor([True, False]),
        'empty': torch.zeros(0, 3),
    }


class Runs:
    """Asks for code of its own choice when it is unpickled."""

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path('executed'),)


def save(name: str, value: object, zipped: bool = True) -> None:
    torch.save(value, DATA / name, _use_new_zipfile_serialization=zipped)


def main() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1), torch.nn.BatchNorm2d(2))
    checkpoint = {
        'epoch': 3,
        'args': argparse.Namespace(lr=0.1, names=['a']),
        'model': collections.OrderedDict(tensors()),
        'optimizer': torch.optim.SGD(network.parameters(), 0.1, momentum=0.9).state_dict(),
    }
    save('tensors.pth', tensors())
    save('tensors_legacy.pth', tensors(), zipped=False)
    save('module.pth', network.state_dict())
    save('checkpoint.pth', checkpoint)
    save('several.pth', {'model_state': tensors(), 'ema_state': {'float32': torch.zeros(2)}})
    save('runs_code.pth', {'weight': torch.zeros(1), 'other': Runs()})
    save('whole_module.pth', network)
    save('runs_code_legacy.pth', {'weight': torch.zeros(1), 'other': Runs()}, zipped=False)


if __name__ == '__main__':
    main()
