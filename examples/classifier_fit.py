"""Trains a classifier of Garden with Keras `fit`: registered network, data, optimizer, schedule.

python examples/classifier_fit.py
"""

import tf_keras as keras

import garden
from garden.core.feed import Feed

EPOCHS, STEPS = 5, 30

keras.utils.set_random_seed(0)
loader = garden.get('dataloaders', 'image_classification')
digits = garden.get('sources', 'tfds')
pixels = {'image_size': 32, 'crop': 'center', 'flip': False, 'cache': True}
training = loader(digits('digits', 'train'), batch_size=32, training=True, **pixels)
held_out = loader(digits('digits', 'test'), batch_size=100, training=False, **pixels)

model = garden.get('models', 'regnety')(
    variant=None, num_classes=10, depth=4, w_0=24, w_a=16.0, w_m=2.0, group_width=8, stem_width=16
)
schedule = garden.get('schedules', 'cosine')(base=0.1, steps=EPOCHS * STEPS, warmup_steps=20)
model.compile(
    optimizer=garden.get('optimizers', 'sgd')(schedule, momentum=0.9),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=['accuracy'],
)
model.fit(
    training(Feed()).map(lambda batch: (batch['image'], batch['label'])),
    epochs=EPOCHS,
    steps_per_epoch=STEPS,
    verbose=2,
)
_, accuracy = model.evaluate(
    held_out(Feed()).map(lambda batch: (batch['image'], batch['label'])), verbose=0
)
print(f'{accuracy:.1%} of the scans are read right')
