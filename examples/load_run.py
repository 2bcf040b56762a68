"""Loads a trained run and lets it read a picture.

python launch.py --experiment=regnety_mini
python examples/load_run.py
"""

import sklearn.datasets
import tensorflow as tf

import garden

run = garden.load_run('runs/regnety_mini')
print(f'{run.name}, {run.checkpoint} checkpoint, step {run.step:,}: top1 {run.metrics["top1"]:.1%}')

scan = sklearn.datasets.load_digits().images[0]
picture = tf.io.encode_png(tf.cast(scan[..., None] * 15, tf.uint8))

classify = run.task.signatures()['classify_picture']
read = classify(tf.stack([picture]))
best = tf.argmax(read['probability'][0])
name, probability = read['class_name'][0, best], read['probability'][0, best]
print(f'It is a {name.numpy().decode()}, says the network, with probability {probability:.2f}')
