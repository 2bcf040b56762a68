"""Loads an experiment by its name: its schedule, its network and its data.

python examples/load_experiment.py
"""

import tensorflow as tf

import garden

experiment = garden.load_experiment('regnety_mini', ['batch_size = 8'])
print(f'{experiment.name}: {experiment.phase.train_steps:,} steps')
print(f'{experiment.model.count_params():,} parameters')

batch = next(iter(experiment.train_data()))
logits = experiment.model(batch['image'], training=False)
print(f'images {batch["image"].shape}, logits {logits.shape}')

held_out = sum(tf.math.count_nonzero(batch['mask']) for batch in experiment.eval_data())
print(f'{int(held_out)} examples to evaluate on')
