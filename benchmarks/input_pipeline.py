"""From JPEG files to training batches: images per second and core, against peers in one run.

    pip install --constraint constraints.txt '.[bench]'
    python benchmarks/input_pipeline.py [--rounds=7] [--images=640]

Peers: the training pipeline of an experiment (the paper's recipe: random crop to 224 pixels,
mirror, colour shift, normalisation, batches of 32), the bare decode of the same files as whole
pictures, and torch's usual loader (torchvision on PIL) with the same steps. The files are
photographs of ImageNet's commonest size and mean length, made of those that scikit-learn and
scikit-image bring along. Each peer has a process and a thread of its own, and they work in turn.
What counts is the processor time: pipelines run on as many cores as there are.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import photographs
from peers.turns import Peer

_FILES = 192


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--experiment', default='regnety_400mf')
    parser.add_argument('--gin', action='append', default=[], help='a binding for the experiment')
    parser.add_argument('--images', type=int, default=640, help='images of a round')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--torch_python', default=sys.executable, help='where torch is installed')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        photographs.write(Path(scratch), _FILES)
        folder = [f'--folder={scratch}']
        gin = [f'--gin={binding}' for binding in args.gin]
        garden = [*folder, f'--experiment={args.experiment}', *gin]
        commands = {
            'garden': ('garden_images.py', garden, sys.executable),
            'bare decode': ('decode_images.py', folder, sys.executable),
            'torch loader': ('torch_images.py', folder, args.torch_python),
        }
        peers = {
            name: stack.enter_context(Peer(script, arguments, python, threads=1))
            for name, (script, arguments, python) in commands.items()
        }
        found: dict[str, list[dict[str, float]]] = {name: [] for name in peers}
        for number in range(args.rounds):
            for name in sorted(peers, reverse=bool(number % 2)):
                found[name].append(peers[name].work(args.images))
    print(f'{"":14} {"images/s/core":>13} {"garden/it":>10} {"of pairs":>9} {"peak":>9}')
    for name, rows in found.items():
        rate = args.images / min(row['cpu'] for row in rows)
        ours = args.images / min(row['cpu'] for row in found['garden'])
        pairs = [row['cpu'] / mine['cpu'] for row, mine in zip(rows, found['garden'], strict=True)]
        print(
            f'{name:14} {rate:13.0f} {ours / rate:10.2f} {statistics.median(pairs):9.2f} '
            f'{rows[-1]["peak_mib"]:5.0f} MiB'
        )


if __name__ == '__main__':
    main()
