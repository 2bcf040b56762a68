"""Runs of the launcher in processes of their own that need not import TensorFlow each time.

Python's fork server imports once what every run needs and does nothing else. Each run is a fork of
it, makes devices of its own, and can be killed as any other process.
"""

import multiprocessing
import os
import signal

_CONTEXT = multiprocessing.get_context('forkserver')
_CONTEXT.set_forkserver_preload(['garden.cli.run', 'garden.cli.launch', 'official'])


def launch(arguments, log, variables=(), kill_after=None):
    """Runs a command line; returns the exit status, negative for a signal.

    Args:
      arguments: what follows `launch.py`.
      log: the file that takes what the run says.
      variables: pairs of environment variables.
      kill_after: SIGKILL comes when so many loops have been reported, None for not at all.
    """
    process = _CONTEXT.Process(target=_run, args=(arguments, log, dict(variables), kill_after))
    process.start()
    process.join()
    return process.exitcode


def _run(arguments, log, variables, kill_after):
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.environ.update(variables)
    from garden.cli.launch import main

    if kill_after is not None:
        _die_after(kill_after)
    os._exit(main(arguments))  # What other tests' modules do at exit is none of a run's business.


def _die_after(loops):
    from garden.engine.recorder import Recorder

    trained, seen = Recorder.trained, []

    def dying(self, step, metrics):
        trained(self, step, metrics)
        seen.append(step)
        if len(seen) == loops:
            os.kill(os.getpid(), signal.SIGKILL)

    Recorder.trained = dying
