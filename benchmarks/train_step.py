"""A training step of RegNetY-400MF at 224 pixels against other implementations, in one run.

    pip install --constraint constraints.txt '.[bench]'
    python benchmarks/train_step.py [--batch=8] [--threads=2] [--rounds=5]

Peers: the trainer, a bare tf.function loop over the same task, timm on torch (eager, in both memory
layouts), and tf_keras.applications (with --keras: one step of it takes as long as fifty of the
others'). All take a step of SGD with Nesterov momentum on one batch that stays in memory. Each has
a process of its own, all are given the same number of threads, and they work in turn, so that the
machine's other load meets all alike. Ratios are of the best rounds and of the median of the pairs.
"""

import argparse
import contextlib
import statistics
import sys

from peers.turns import Peer


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--steps', type=int, default=3, help='steps of a round')
    parser.add_argument('--keras', action='store_true', help='tf_keras.applications too')
    parser.add_argument('--torch_python', default=sys.executable, help='where torch is installed')
    args = parser.parse_args()
    batch = f'--batch={args.batch}'
    garden = [
        '--experiment=regnety_400mf',
        f'--gin=batch_size = {args.batch}',
        '--gin=dataloaders.image_classification.source = @sources.synthetic()',
        '--gin=sources.synthetic.classes = 1000',
    ]
    torch = [batch, f'--threads={args.threads}']
    commands = {
        'trainer': ('garden_step.py', [*garden, '--loop=trainer'], sys.executable),
        'bare loop': ('garden_step.py', [*garden, '--loop=bare'], sys.executable),
        'timm': ('timm_step.py', [*torch, '--layout=contiguous'], args.torch_python),
        'timm channels_last': (
            'timm_step.py',
            [*torch, '--layout=channels_last'],
            args.torch_python,
        ),
    }
    if args.keras:
        commands['tf_keras.applications'] = ('keras_step.py', [batch], sys.executable)
    with contextlib.ExitStack() as stack:
        peers = {
            name: stack.enter_context(Peer(script, arguments, python, args.threads))
            for name, (script, arguments, python) in commands.items()
        }
        report(measured(peers, args.rounds, args.steps))


def measured(peers: dict[str, Peer], rounds: int, steps: int) -> dict[str, list[dict[str, float]]]:
    """Returns what each peer took in each round, per step."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in peers}
    for number in range(rounds):
        # The order alternates, so that nobody always comes after the same one.
        for name in sorted(peers, reverse=bool(number % 2)):
            if 'applications' in name and number:
                continue  # Once is enough to see, and as long as all the rest.
            count = 1 if 'applications' in name else steps
            spent = peers[name].work(count)
            found[name].append(
                {
                    'wall': spent['wall'] / count,
                    'cpu': spent['cpu'] / count,
                    'peak_mib': spent['peak_mib'],
                }
            )
    return found


def report(found: dict[str, list[dict[str, float]]]) -> None:
    """Prints each peer's best step, the trainer's ratio to it, and the peak of its memory."""
    print(f'{"":22} {"best step":>10} {"trainer/it":>11} {"of pairs":>9} {"cpu":>6} {"peak":>9}')
    trainer = found['trainer']
    for name, rows in found.items():
        best = min(row['wall'] for row in rows)
        pairs = [t['wall'] / r['wall'] for t, r in zip(trainer, rows, strict=False)]
        cpu = min(t['cpu'] for t in trainer) / min(row['cpu'] for row in rows)
        print(
            f'{name:22} {best:8.3f} s {min(t["wall"] for t in trainer) / best:11.2f} '
            f'{statistics.median(pairs):9.2f} {cpu:6.2f} {rows[-1]["peak_mib"]:5.0f} MiB'
        )


if __name__ == '__main__':
    main()
