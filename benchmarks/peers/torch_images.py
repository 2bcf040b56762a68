"""Training batches of torch's usual ImageNet loader (PIL, torchvision), from a folder of files."""

import argparse
import itertools

import torch
import torchvision_python
from turns import serve

_EIGENVALUES = torch.tensor([0.2175, 0.0188, 0.0045])
_EIGENVECTORS = torch.tensor(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)


def lighting(image: torch.Tensor) -> torch.Tensor:
    """AlexNet's colour shift."""
    shift = _EIGENVECTORS @ (torch.randn(3) * 0.1 * _EIGENVALUES)
    return image + shift[:, None, None]


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--folder', required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    _operators = torchvision_python.declare()
    from torchvision import datasets, transforms

    transform = transforms.Compose(
        [
            transforms.RandomResizedCrop(224),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            lighting,
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader = torch.utils.data.DataLoader(
        datasets.ImageFolder(args.folder, transform), batch_size=32, shuffle=True
    )
    batches = itertools.chain.from_iterable(itertools.repeat(loader))

    def work(count: int) -> None:
        for _ in range(count // 32):
            next(batches)

    work(32)
    serve(work)


if __name__ == '__main__':
    main()
