"""Compares training steps per second: a SIREN fitted to a picture, Garden against torch.

    pip install '.[bench]'
    python benchmarks/siren_step.py [--size=128] [--threads=2] [--rounds=5]

Peers: the trainer, a bare tf.function loop over the same task, and the same network (198,401
parameters) in torch, eagerly: as the reference implementation writes it, and with omega multiplied
into the weights, as here. All take a step of Adam on all pixels. Each has a process of its own and
the same number of threads; torch is also given a single one, for it loses more than others by
waiting where cores are busy. They work in turn; ratios are of the best rounds and of the median of
the pairs.
"""

import argparse
import contextlib
import sys

from peers.turns import Peer
from train_step import measured, report


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', type=int, default=128, help='rows and columns of the picture')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--steps', type=int, default=10, help='steps of a round')
    parser.add_argument('--torch_python', default=sys.executable, help='where torch is installed')
    args = parser.parse_args()
    size = f'--gin=dataloaders.single_image.image_size = {args.size}'
    garden = ['--experiment=siren_image_mini', size]
    commands = {
        'trainer': ('garden_step.py', [*garden, '--loop=trainer'], sys.executable, args.threads),
        'bare loop': ('garden_step.py', [*garden, '--loop=bare'], sys.executable, args.threads),
    }
    for variant in ('reference', 'folded'):
        for threads in sorted({1, args.threads}):
            arguments = [f'--size={args.size}', f'--threads={threads}', f'--variant={variant}']
            name = f'torch {variant}, {threads} thr.'
            commands[name] = ('torch_siren_step.py', arguments, args.torch_python, threads)
    with contextlib.ExitStack() as stack:
        peers = {name: stack.enter_context(Peer(*how)) for name, how in commands.items()}
        report(measured(peers, args.rounds, args.steps))


if __name__ == '__main__':
    main()
