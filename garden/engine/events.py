"""TensorBoard's view of a run that goes on from an earlier step than it had come to."""

import time

import tensorflow as tf
from orbit.utils import SummaryManagerInterface


def begin_session(manager: SummaryManagerInterface, step: int) -> None:
    """Makes TensorBoard drop what a folder's earlier events say of `step` and those after it.

    To TensorBoard, the start of a session after another one is a restart at the step that it names.
    So every session begins with such an event, the first one too.
    """
    writer = manager.summary_writer()
    if isinstance(writer, tf.summary.SummaryWriter) and hasattr(writer, '_resource'):
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        event = tf.compat.v1.Event(step=step, wall_time=time.time(), session_log=start)
        # tf.summary writes summaries only.
        tf.raw_ops.ImportEvent(writer=writer._resource, event=event.SerializeToString())
