"""Run folders as runs leave them, without a run."""

import json

import numpy as np
import tensorflow as tf

from garden.figures import png

CONFIG = """\
# A toy that runs.
#
# Command: python launch.py --experiment=toy
# Paper: none
# Name: {name}

train_steps = {steps}

garden.experiment.phases = [@garden.phase()]
garden.phase.targets = ('top1 >= 0.9',)
garden.phase.best_metric = 'top1'
garden.phase.train_steps = %train_steps
optimizers.sgd.learning_rate = {rate}
"""
NETWORKS = {
    'main': {
        'model': {
            'inputs': [[1, 8, 8, 3]],
            'parts': [
                {
                    'name': name,
                    'parameters': parameters,
                    'fixed_parameters': 5,
                    'multiply_adds': 70,
                    'activations': 9,
                    'output_shape': [1, 4, 4, 16],
                }
                for name, parameters in (('stem', 1200), ('head', 34))
            ],
            'uncertain': [],
        }
    }
}


def picture(seed=0, size=24):
    """Returns an image of noise, uint8 [size, size, 3]."""
    return np.random.default_rng(seed).integers(0, 255, (size, size, 3), dtype=np.uint8)


def train_row(step, phase='main', loss=None, rate=20.0, **metrics):
    """Returns a row as the trainer writes it."""
    loss = 1.0 / step if loss is None else loss
    row = {'phase': phase, 'kind': 'train', 'step': step, 'loss': loss, 'learning_rate': 0.1}
    return row | metrics | {'steps_per_second': rate, 'examples_per_second': 64 * rate}


def eval_row(step, phase='main', **metrics):
    """Returns the row of an evaluation."""
    return {'phase': phase, 'kind': 'eval', 'step': step, 'top1': 0.8, **metrics}


def write_run(
    folder, rows=(), name='toy', steps=100, rate=0.1, ended=True, config=CONFIG, **version
):
    """Writes the folder of a run, less pictures; returns it."""
    (folder / 'main').mkdir(parents=True)
    (folder / 'config.gin').write_text(config.format(name=name, steps=steps, rate=rate))
    write_rows(folder / 'metrics.jsonl', rows)
    launch = {
        'time': '2026-01-02T03:04:05+00:00',
        'command': ['launch.py', f'--experiment={name}'],
        'seed': 7,
        'devices': '1 x CPU',
        'python': '3.11.7',
        'versions': {'tensorflow': '2.20.0', 'numpy': '2.0.0', **version},
        'git': {'commit': '0123456789abcdef', 'changed': True},
    }
    (folder / 'run.json').write_text(json.dumps({'launches': [launch]}))
    (folder / 'networks.json').write_text(json.dumps(NETWORKS))
    if ended:
        (folder / 'main' / 'ended').write_text(f'{steps}\n')
    return folder


def write_rows(path, rows):
    """Writes a file of JSON lines."""
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def write_pictures(folder, steps, name='samples', phase='main'):
    """Writes pictures as a run does: the last as PNG, all of them for TensorBoard."""
    (folder / 'pictures').mkdir(exist_ok=True)
    writer = tf.summary.create_file_writer(str(folder / phase / 'events' / 'eval'))
    with writer.as_default():
        for step in steps:
            tf.summary.image(name, picture(step)[np.newaxis], step=step)
    writer.close()
    path = folder / 'pictures' / f'{phase}_{name}.png'
    path.write_bytes(png.encode(picture(steps[-1])))
