"""Training steps of tf_keras.applications' RegNetY004 on one batch, in a tf.function."""

import argparse

import tensorflow as tf
import tf_keras as keras
from turns import serve


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--batch', type=int, required=True)
    batch = parser.parse_args().batch
    model = keras.applications.regnet.RegNetY004(weights=None, classifier_activation=None)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    images = tf.random.normal([batch, 224, 224, 3])
    labels = tf.random.uniform([batch], maxval=1000, dtype=tf.int32)

    @tf.function
    def step() -> None:
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    def work(count: int) -> None:
        for _ in range(count):
            step()

    step()
    serve(work)


if __name__ == '__main__':
    main()
