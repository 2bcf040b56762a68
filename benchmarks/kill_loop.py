"""Kills an experiment at random moments, lets it finish, and compares what it comes to.

    python benchmarks/kill_loop.py --experiment=regnety_mini --kills=20 -- --gin='train_steps=300'

The experiment runs once undisturbed. Then it runs again and again, in new folders, and is killed
(SIGKILL) at moments drawn at random over the time that the undisturbed run took; every third
time the script waits for a checkpoint to be half-written and kills then. A killed run is started
again by the same command until it ends; then the files of its last checkpoint, and the evaluations
in its metrics.jsonl, are compared with the undisturbed run's, byte for byte. What follows `--` goes
to the launcher.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def start(experiment: str, folder: Path, extra: list[str]) -> subprocess.Popen:
    """Starts the launcher on a run folder."""
    command = [
        sys.executable,
        str(ROOT / 'launch.py'),
        f'--experiment={experiment}',
        f'--model_dir={folder}',
        *extra,
    ]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def finish(process: subprocess.Popen) -> None:
    """Waits for the launcher to end well."""
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f'the run failed with status {process.returncode}:\n{errors.decode()}')


def being_written(folder: Path) -> bool:
    """Whether a checkpoint is half-written at this moment."""
    return any(folder.glob('*/checkpoints/*_temp*')) or any(folder.glob('*/best/*_temp*'))


def kill(process: subprocess.Popen, folder: Path, seconds: float, in_a_save: bool) -> str | None:
    """Kills the run after some seconds, or at its next save; returns when, None if it was over."""
    end = time.monotonic() + seconds
    while process.poll() is None:
        late = time.monotonic() >= end
        if late and (not in_a_save or being_written(folder) or time.monotonic() >= end + 20):
            caught = being_written(folder)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return 'while saving' if caught else 'between saves'
        time.sleep(0.0005 if late else 0.01)
    return None


def outcome(folder: Path) -> dict[str, object]:
    """Returns the bytes of the last checkpoints and the evaluations of a finished run."""
    found: dict[str, object] = {}
    for directory in sorted(folder.glob('*/checkpoints')):
        last = max(int(path.stem.split('-')[1]) for path in directory.glob('*.index'))
        for path in sorted(directory.glob(f'ckpt-{last}.*')):
            found[f'{directory.parent.name}/{path.name}'] = path.read_bytes()
    rows = [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().splitlines()]
    found['evaluations'] = [row for row in rows if row['kind'] == 'eval']
    return found


def main() -> int:
    """Runs the loop; the status is 0 if all outcomes are identical."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--experiment', default='regnety_mini')
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--kills_per_run', type=int, default=4)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('extra', nargs='*', help='arguments for the launcher, after --')
    args = parser.parse_args()
    generator = random.Random(args.seed)
    with tempfile.TemporaryDirectory(prefix='kill-loop-') as scratch:
        begin = time.monotonic()
        finish(start(args.experiment, Path(scratch, 'straight'), args.extra))
        duration = time.monotonic() - begin
        reference = outcome(Path(scratch, 'straight'))
        print(f'undisturbed: {duration:.1f} s', flush=True)
        moments: list[str] = []
        same = runs = 0
        while len(moments) < args.kills:
            folder = Path(scratch, f'run-{runs}')
            for _ in range(min(args.kills_per_run, args.kills - len(moments))):
                process = start(args.experiment, folder, args.extra)
                seconds = generator.uniform(0.1, 0.9) * duration
                moment = kill(process, folder, seconds, len(moments) % 3 == 2)
                if moment is None:
                    break
                moments.append(moment)
            finish(start(args.experiment, folder, args.extra))
            found = outcome(folder)
            unlike = [name for name in reference if found.get(name) != reference[name]]
            equal = not unlike and len(found) == len(reference)
            same, runs = same + equal, runs + 1
            print(
                f'run {runs}: {f"DIFFERENT in {unlike}" if unlike else "identical"}; '
                f'{len(moments)} kills so far, {moments.count("while saving")} while saving',
                flush=True,
            )
    print(f'{same} of {runs} finished runs identical, after {len(moments)} kills')
    return 0 if same == runs else 1


if __name__ == '__main__':
    sys.exit(main())
