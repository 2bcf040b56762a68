import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_five_steps_of_the_guide_make_a_system_that_trains(tmp_path):
    """Takes model and experiment from the text, as a newcomer would, and edits nothing else."""
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    model = next(re.finditer(r"```python\n(.*?@register\('models'.*?)```", text, re.DOTALL))[1]
    experiment = next(re.finditer(r'```gin\n(#.*?)```', text, re.DOTALL))[1]
    for folder in ('experiments', 'garden'):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / 'launch.py', tmp_path)
    (tmp_path / 'garden' / 'models' / 'perceptron.py').write_text(model)
    path = tmp_path / 'experiments' / 'classification' / 'perceptron_mini.gin'
    path.write_text(experiment)

    launched = launch('--experiment=perceptron_mini', '--describe', cwd=tmp_path)
    assert launched.returncode == 0, launched.stdout + launched.stderr

    launched = launch('--experiment=perceptron_mini', '--model_dir=run', cwd=tmp_path)
    assert launched.returncode == 0, launched.stdout + launched.stderr
    (phase,) = json.loads((tmp_path / 'run' / 'summary.json').read_text())['phases']
    assert phase['targets'] == {'top1 >= 0.9': True}, phase['metrics']


def launch(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, 'launch.py', *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
