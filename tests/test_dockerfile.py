"""The Dockerfile's steps, taken without an engine by tools/run_dockerfile.py."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import run_dockerfile

ROOT = Path(__file__).parents[1]
QUICK = '--experiment=regnety_mini --gin=phase.train_steps=2 --gin=phase.steps_per_loop=2'


def test_a_dockerfile_is_read_with_its_continued_lines_and_comments():
    text = '# syntax\nFROM a\n\nRUN x \\\n# why\n    && y\nENTRYPOINT ["z"]\n'
    assert list(run_dockerfile.steps(text)) == [
        ('FROM', 'a'),
        ('RUN', 'x      && y'),
        ('ENTRYPOINT', '["z"]'),
    ]


def test_what_is_sent_follows_the_rules_of_dockerignore(tmp_path):
    names = ('setup.py', 'notes.txt', 'garden/a.py', 'garden/__pycache__/a.pyc', 'runs/x/y')
    for name in (*names, 'docs/a/b.md', 'docs/a/c.md', 'docs/d.md'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = ['*', '!garden/', '!setup.py', '**/__pycache__']
    assert run_dockerfile.sent(patterns, tmp_path) == ['garden/a.py', 'setup.py']
    patterns += ['!docs/a/b.md']
    assert run_dockerfile.sent(patterns, tmp_path) == ['docs/a/b.md', 'garden/a.py', 'setup.py']
    taken_back = ['*', '!docs/*.md']
    assert run_dockerfile.sent(taken_back, tmp_path) == ['docs/d.md']


def test_a_step_that_cannot_be_taken_is_told(tmp_path):
    image = run_dockerfile.Image(tmp_path)
    with pytest.raises(ValueError, match='COPY docs/data'):
        image.take('COPY', 'docs/data.md /data/')  # .dockerignore leaves it out.
    with pytest.raises(ValueError, match='this step is not known'):
        image.take('HEALTHCHECK', 'NONE')


@pytest.mark.parametrize('path', ['Dockerfile', 'deploy/Dockerfile.tpu'])
def test_every_instruction_is_one_that_the_script_knows(path):
    known = {'FROM', 'ARG', 'ENV', 'WORKDIR', 'COPY', 'RUN', 'USER', 'VOLUME', 'ENTRYPOINT'}
    assert {word for word, _ in run_dockerfile.steps((ROOT / path).read_text())} <= known


@pytest.mark.slow
def test_the_image_lists_and_trains_as_its_own_user():
    launches = ['--launch=--list', f'--launch={QUICK}']
    done = subprocess.run(
        [sys.executable, 'tools/run_dockerfile.py', 'Dockerfile', *launches],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == run_dockerfile.REFUSED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    _, listed, trained = done.stdout.split("\n== ['python', 'launch.py'] ")
    assert 'regnety_mini' in listed
    assert 'regnety_mini, step 2' in trained
    assert 'belongs to gardener' in trained
