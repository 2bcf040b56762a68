"""Makes data/cyclegan_references.npz: outputs of CycleGAN's networks for weights from a seed.

It runs where PyTorch is installed:

    python tests/convert/make_cyclegan_references.py

The networks are built here as the paper's appendix describes them, of PyTorch's layers and in the
order in which the authors' code numbers them. Measured with torch 2.13.0 (CPU).
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

import seeded


def normalised(convolution: nn.Module, width: int) -> list[nn.Module]:
    return [convolution, nn.InstanceNorm2d(width), nn.ReLU()]


class Residual(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        first = normalised(nn.Conv2d(width, width, 3), width)
        second = [nn.Conv2d(width, width, 3), nn.InstanceNorm2d(width)]
        pads = nn.ReflectionPad2d(1), nn.ReflectionPad2d(1)
        self.conv_block = nn.Sequential(pads[0], *first, pads[1], *second)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps + self.conv_block(maps)


class Network(nn.Module):
    def __init__(self, layers: list[nn.Module]):
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images)


def generator(blocks: int) -> nn.Module:
    up = {'stride': 2, 'padding': 1, 'output_padding': 1}
    return Network(
        [
            nn.ReflectionPad2d(3),
            *normalised(nn.Conv2d(3, 64, 7), 64),
            *normalised(nn.Conv2d(64, 128, 3, stride=2, padding=1), 128),
            *normalised(nn.Conv2d(128, 256, 3, stride=2, padding=1), 256),
            *(Residual(256) for _ in range(blocks)),
            *normalised(nn.ConvTranspose2d(256, 128, 3, **up), 128),
            *normalised(nn.ConvTranspose2d(128, 64, 3, **up), 64),
            nn.ReflectionPad2d(3),
            nn.Conv2d(64, 3, 7),
            nn.Tanh(),
        ]
    )


def patchgan() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for width, stride in ((128, 2), (256, 2), (512, 1)):
        layers += [nn.Conv2d(width // 2, width, 4, stride, 1), nn.InstanceNorm2d(width)]
        layers += [nn.LeakyReLU(0.2)]
    return Network([*layers, nn.Conv2d(512, 1, 4, 1, 1)])


def main() -> None:
    found = {}
    cases = {'resnet_6blocks': generator(6), 'resnet_9blocks': generator(9), 'n_layers': patchgan()}
    for case, model in cases.items():
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        values = {name: torch.from_numpy(v) for name, v in seeded.tensors(shapes).items()}
        model.load_state_dict(values, strict=True)
        images = torch.from_numpy(seeded.images(1, 64).transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            output = model.eval()(images).numpy().transpose(0, 2, 3, 1)
        found[f'{case} output'] = output
        found[f'{case} names'] = np.array(seeded.digest(shapes))
        print(f'{case}: {len(shapes)} tensors, standard deviation {output.std():.3f}')
    np.savez_compressed(Path(__file__).parent / 'data' / 'cyclegan_references.npz', **found)


if __name__ == '__main__':
    main()
