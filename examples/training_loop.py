"""Trains Garden's network on Garden's data in a loop of one's own.

python examples/training_loop.py
"""

import tensorflow as tf

import garden

STEPS = 150

experiment = garden.load_experiment(
    'regnety_mini', [f'train_steps = {STEPS}', 'schedules.cosine.warmup_steps = 20']
)
model, optimizer = experiment.model, experiment.task.optimizer


@tf.function
def train_step(image: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
    """Takes one step; returns its loss."""
    with tf.GradientTape() as tape:
        logits = model(image, training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return loss


@tf.function
def count_right(image: tf.Tensor, label: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns how many images are read right; padding does not count."""
    right = tf.argmax(model(image, training=False), -1, tf.int32) == label
    return tf.math.count_nonzero(right & mask)


for step, batch in enumerate(experiment.train_data().take(STEPS), 1):
    loss = train_step(batch['image'], batch['label'])
    if step % 50 == 0:
        print(f'step {step}: loss {loss:.3f}')

right = total = 0
for batch in experiment.eval_data():
    right += int(count_right(batch['image'], batch['label'], batch['mask']))
    total += int(tf.math.count_nonzero(batch['mask']))
print(f'{right} of {total} scans are read right')
