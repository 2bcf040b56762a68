"""Training steps of timm's RegNetY-400MF on one batch, eagerly."""

import argparse

import torch
import torchvision_python
from turns import serve


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--batch', type=int, required=True)
    parser.add_argument('--layout', choices=('contiguous', 'channels_last'), required=True)
    parser.add_argument('--threads', type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    _operators = torchvision_python.declare()
    import timm

    layout = {
        'contiguous': torch.contiguous_format,
        'channels_last': torch.channels_last,
    }[args.layout]
    model = timm.create_model('regnety_004').to(memory_format=layout).train()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-5
    )
    images = torch.randn(args.batch, 3, 224, 224).contiguous(memory_format=layout)
    labels = torch.randint(0, 1000, (args.batch,))
    cross_entropy = torch.nn.CrossEntropyLoss()

    def work(count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad(set_to_none=True)
            cross_entropy(model(images), labels).backward()
            optimizer.step()

    work(1)
    serve(work)


if __name__ == '__main__':
    main()
