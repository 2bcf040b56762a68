"""Garden's commands in processes of their own, on this machine."""

import json
import subprocess
import time

import numpy as np
import tensorflow as tf
from launching import Launcher, free_ports

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


class Processes(Launcher):
    """Starts small runs, alone and in pairs."""

    def __init__(self, data):
        super().__init__(data, stderr=subprocess.STDOUT)

    def small(self, folder, *arguments, **variables):
        return self.start(*QUICK, f'--model_dir={folder}', *arguments, **variables)

    def pair(self, *folders, arguments=()):
        """Starts the two workers of a run; the first is the chief."""
        cluster = {'worker': [f'127.0.0.1:{port}' for port in free_ports(2)]}
        return [
            self.small(
                folders[index % len(folders)],
                *arguments,
                TF_CONFIG=json.dumps(
                    {'cluster': cluster, 'task': {'type': 'worker', 'index': index}}
                ),
            )
            for index in range(2)
        ]


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
