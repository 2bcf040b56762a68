"""Garden's commands in processes of their own, on this machine."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[2]
STEPS = 100
QUICK = (
    '--experiment=regnety_mini',
    f'--gin=train_steps = {STEPS}',
    '--gin=batch_size = 8',
    '--gin=dataloaders.image_classification.image_size = 16',
    '--gin=models.regnety.stem_width = 8',
    '--gin=garden.phase.steps_per_loop = 10',
    f'--gin=garden.phase.eval_interval = {STEPS}',
    '--gin=garden.phase.eval_steps = 2',
    '--gin=garden.phase.checkpoint_interval = 10',
)
AGAIN = 42


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(('127.0.0.1', 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Processes:
    """Starts processes with one folder of data sets, and ends them."""

    def __init__(self, data):
        self.data = data
        self.started = []

    def command(self, *words, **variables):
        process = subprocess.Popen(
            [sys.executable, str(ROOT / 'launch.py'), *words],
            cwd=ROOT,
            env=os.environ | {'TFDS_DATA_DIR': str(self.data), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, folder, *arguments, **variables):
        return self.command(*QUICK, f'--model_dir={folder}', *arguments, **variables)

    def pair(self, *folders, arguments=()):
        """Starts the two workers of a run; the first is the chief."""
        cluster = {'worker': [f'127.0.0.1:{port}' for port in free_ports(2)]}
        return [
            self.run(
                folders[index % len(folders)],
                *arguments,
                TF_CONFIG=json.dumps(
                    {'cluster': cluster, 'task': {'type': 'worker', 'index': index}}
                ),
            )
            for index in range(2)
        ]

    def end(self):
        for process in self.started:
            process.kill()
            process.wait()


def ended(*processes, within=280):
    """Returns the exit statuses of processes and what they still had to say."""
    deadline = time.monotonic() + within
    outputs = [p.communicate(timeout=deadline - time.monotonic())[0] for p in processes]
    return [p.returncode for p in processes], outputs


def advances(process):
    """Waits until a run has taken a few steps."""
    for line in process.stdout:
        if line.startswith('main ') and f'/{STEPS}' in line:
            return
    raise AssertionError(f'ended before its first step with status {process.wait()}')


def steps_saved(folder):
    return sorted(int(path.stem.split('-')[1]) for path in folder.glob('main/checkpoints/*.index'))


def assert_same_end(ours, theirs):
    """Compares every value of the last checkpoints of two runs, bit for bit."""
    readers = [
        tf.train.load_checkpoint(str(folder / f'main/checkpoints/ckpt-{STEPS}'))
        for folder in (ours, theirs)
    ]
    names = [reader.get_variable_to_shape_map().keys() for reader in readers]
    assert names[0] == names[1]
    for name in names[0]:
        np.testing.assert_array_equal(*(r.get_tensor(name) for r in readers), err_msg=name)
