"""An experiment for the Model Garden as its users write them: its classification, another model."""

import dataclasses

import numpy as np
import sklearn.metrics
import tensorflow as tf
import tf_keras as keras
from official.core import config_definitions, exp_factory, task_factory
from official.modeling import optimization
from official.vision.configs import image_classification as configs
from official.vision.tasks import image_classification

CLASSES = 4


@dataclasses.dataclass
class SmallConfig(configs.ImageClassificationTask):
    """The settings of image classification."""


@task_factory.register_task_cls(SmallConfig)
class Small(image_classification.ImageClassificationTask):
    """Image classification, with a metric that takes all predictions at once."""

    def build_model(self):
        return keras.Sequential(
            [
                keras.Input(self.task_config.model.input_size),
                keras.layers.Conv2D(8, 5, strides=4, kernel_regularizer='l2'),
                keras.layers.BatchNormalization(momentum=0.9),
                keras.layers.ReLU(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(self.task_config.model.num_classes),
            ]
        )

    def validation_step(self, inputs, model, metrics=None):
        logs = super().validation_step(inputs, model, metrics)
        return logs | {'read': (inputs[1], tf.argmax(model(inputs[0]), axis=-1))}

    def aggregate_logs(self, state, step_logs):
        return [*(state or []), tf.nest.map_structure(np.asarray, step_logs)]

    def reduce_aggregated_logs(self, aggregated_logs, global_step=None):
        read = [part for logs in aggregated_logs for part in zip(*logs['read'], strict=True)]
        labels, predictions = (np.concatenate(parts) for parts in zip(*read, strict=True))
        kappa = sklearn.metrics.cohen_kappa_score(labels, predictions)
        return {'kappa': kappa, 'judged': [len(labels), int(global_step.numpy())]}


@exp_factory.register_config_factory('small/classification')
def small_classification():
    rate = {'type': 'stepwise', 'stepwise': {'boundaries': [3], 'values': [0.1, 0.01]}}
    momentum = {'type': 'sgd', 'sgd': {'momentum': 0.9}}
    return config_definitions.ExperimentConfig(
        task=SmallConfig(
            model=configs.ImageClassificationModel(num_classes=CLASSES, input_size=[32, 32, 3]),
            train_data=configs.DataConfig(
                is_training=True, global_batch_size=8, shuffle_buffer_size=64
            ),
            validation_data=configs.DataConfig(is_training=False, global_batch_size=16),
            evaluation=configs.Evaluation(top_k=2),
        ),
        trainer=config_definitions.TrainerConfig(
            train_steps=8,
            steps_per_loop=2,
            validation_interval=4,
            checkpoint_interval=4,
            best_checkpoint_eval_metric='accuracy',
            optimizer_config=optimization.OptimizationConfig(
                {'optimizer': momentum, 'learning_rate': rate, 'ema': {'average_decay': 0.9}}
            ),
        ),
    )
