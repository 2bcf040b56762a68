"""What lies in deploy/ fits the launcher and the image, as far as this machine can tell."""

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from garden.cli.launch import make_parser
from garden.engine import experiments

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / 'deploy'
SCRIPTS = sorted(DEPLOY.glob('*.sh'))
MANIFESTS = {path.stem: yaml.safe_load(path.read_text()) for path in DEPLOY.glob('*.yaml')}


def job_of(manifest):
    """The specification of a manifest's one Job."""
    if manifest['kind'] == 'Job':
        return manifest['spec']
    (replicated,) = manifest['spec']['replicatedJobs']
    return replicated['template']['spec']


def container_of(manifest):
    (container,) = job_of(manifest)['template']['spec']['containers']
    return container


def entry_point():
    line = re.search(r'^ENTRYPOINT (.*)$', (ROOT / 'Dockerfile').read_text(), re.MULTILINE)
    return ast.literal_eval(line[1])


@pytest.fixture
def launcher(tmp_path):
    """A `python` that shows what it would have been called with, and its folder."""
    fake = tmp_path / 'bin' / 'python'
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$TF_CONFIG" "$@"\n')
    fake.chmod(0o755)
    return f'{fake.parent}:{os.environ["PATH"]}'


@pytest.mark.parametrize('script', SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash_and_can_be_run(script):
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith('#!/bin/bash\n')
    subprocess.run(['bash', '-n', str(script)], check=True)


@pytest.mark.parametrize('manifest', MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_is_one_that_kubernetes_knows(manifest):
    kinds = {'Job': 'batch/v1', 'JobSet': 'jobset.x-k8s.io/v1alpha2'}
    assert manifest['apiVersion'] == kinds[manifest['kind']]
    job = job_of(manifest)
    pod = job['template']['spec']
    assert pod['restartPolicy'] == 'Never'  # Required beside podFailurePolicy.
    assert isinstance(job['backoffLimit'], int)
    assert all(isinstance(value, str) for value in pod['nodeSelector'].values())
    container = container_of(manifest)
    for variable in container.get('env', ()):
        assert isinstance(variable['value'], str)
    mounted = {mount['name'] for mount in container.get('volumeMounts', ())}
    assert mounted == {volume['name'] for volume in pod.get('volumes', ())}


@pytest.mark.parametrize('manifest', MANIFESTS.values(), ids=MANIFESTS)
def test_a_mistake_is_final_and_an_interruption_is_not(manifest):
    rules = job_of(manifest)['podFailurePolicy']['rules']
    of_status = {}
    for rule in rules:
        assert ('onExitCodes' in rule) != ('onPodConditions' in rule)
        if codes := rule.get('onExitCodes'):
            assert codes['containerName'] == container_of(manifest)['name']
            assert codes['operator'] == 'In'
            of_status |= dict.fromkeys(codes['values'], rule['action'])
    assert of_status[2] == of_status[74] == 'FailJob'
    if manifest['kind'] == 'Job':
        assert of_status[42] == 'Ignore'
    else:
        # The job fails for either; a JobSet begins it anew but where the pods' policy failed it.
        assert 42 not in of_status
        policy = manifest['spec']['failurePolicy']
        assert policy['maxRestarts'] > 0
        assert [(rule['action'], rule['onJobFailureReasons']) for rule in policy['rules']] == [
            ('FailJobSet', ['PodFailurePolicy'])
        ]


@pytest.mark.parametrize('manifest', MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_launches_an_experiment_that_there_is(manifest):
    container = container_of(manifest)
    parsed = make_parser().parse_args(container['args'])
    assert experiments.find(parsed.experiment)
    command = container.get('command')
    if command:  # The image's entry point, after something else.
        assert shlex.join(entry_point()) in command[2]
    if '--tpu' in str(container['args']):
        assert experiments.header(experiments.find(parsed.experiment)).tpu


def test_the_tpu_image_keeps_the_entry_point_and_the_version():
    text = (DEPLOY / 'Dockerfile.tpu').read_text()
    assert 'ENTRYPOINT' not in text
    assert 'USER gardener' in text
    (pinned,) = re.findall(r'^tensorflow==(.*)$', (ROOT / 'constraints.txt').read_text(), re.M)
    script = (DEPLOY / 'tpu_vm.sh').read_text()
    for name, value in (('tensorflow-tpu', pinned), ('libtpu', None)):
        (version,) = re.findall(rf'\b{name}==(\S+)', text)
        assert value in (None, version)
        assert f':-{version}}}' in script


def test_pods_make_their_cluster_of_their_index(launcher):
    manifest = MANIFESTS['gke_gpu_workers']
    job, container = job_of(manifest), container_of(manifest)
    variables = {variable['name']: variable['value'] for variable in container['env']}
    assert int(variables['WORKERS']) == job['completions'] == job['parallelism'] == 2
    done = subprocess.run(
        [*container['command'], *container['args']],
        env=variables | {'PATH': launcher, 'JOB_COMPLETION_INDEX': '1'},
        capture_output=True,
        text=True,
        check=True,
    )
    cluster, *called = done.stdout.splitlines()
    name = manifest['metadata']['name']
    (replicated,) = manifest['spec']['replicatedJobs']
    (port,) = (entry['containerPort'] for entry in container['ports'])
    assert json.loads(cluster) == {
        'cluster': {
            'worker': [f'{name}-{replicated["name"]}-0-{i}.{name}:{port}' for i in range(2)]
        },
        'task': {'type': 'worker', 'index': 1},
    }
    assert called == ['launch.py', *container['args']]


def multi_worker(launcher, **variables):
    return subprocess.run(
        [str(DEPLOY / 'multi_worker.sh'), '--experiment=regnety_mini', '--gin=a.b = 1'],
        env={'PATH': launcher, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_workers_make_their_cluster_of_a_list_of_hosts(launcher):
    here = subprocess.run(['hostname'], capture_output=True, text=True, check=True).stdout.strip()
    for variables in ({'HOSTS': f'first {here}'}, {'HOSTS': 'first second', 'INDEX': '1'}):
        done = multi_worker(launcher, PORT='99', **variables)
        assert done.returncode == 0, done.stderr
        cluster, *called = done.stdout.splitlines()
        hosts = [f'{host}:99' for host in variables['HOSTS'].split()]
        assert json.loads(cluster) == {
            'cluster': {'worker': hosts},
            'task': {'type': 'worker', 'index': 1},
        }
        assert called == ['launch.py', '--experiment=regnety_mini', '--gin=a.b = 1']
    stranger = multi_worker(launcher, HOSTS='first second')
    assert stranger.returncode == 2
    assert 'is not one of HOSTS' in stranger.stderr
    assert 'names no machines' in multi_worker(launcher).stderr


def again(program, *arguments):
    return subprocess.Popen(
        [str(DEPLOY / 'again.sh'), sys.executable, '-c', program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        # A script cannot catch what it was started to ignore, as whoever runs the tests in the
        # background starts them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_again_goes_on_while_the_status_is_42(tmp_path):
    program = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
path.write_text((path.read_text() if path.exists() else '') + '.')
sys.exit(int(sys.argv[1 + len(path.read_text())]))
"""
    for statuses in (['0'], ['42', '42', '0'], ['42', '2', '0'], ['74', '0']):
        runs = tmp_path / '-'.join(statuses)
        with again(program, str(runs), *statuses) as process:
            ended = next(status for status in statuses if status != '42')
            assert process.wait() == int(ended)
        assert len(runs.read_text()) == statuses.index(ended) + 1


def test_again_ends_with_the_command_that_it_is_told_to_end():
    program = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), sys.exit(42)))
print('ready', flush=True)
time.sleep(60)
"""
    for number in (signal.SIGTERM, signal.SIGINT):
        with again(program) as process:
            assert process.stdout.readline() == 'ready\n'
            process.send_signal(number)
            assert process.wait() == 42


def test_slurm_gives_each_task_its_index_and_comes_back_after_42(tmp_path, launcher):
    calls = tmp_path / 'calls'
    for name, body in {
        'scontrol': f'if [ "$1" = show ]; then printf "a\\nb\\n"; else echo "$@" >> {calls}; fi',
        'srun': 'shift; SLURM_PROCID=1 "$@"; exit "$STATUS"',
    }.items():
        fake = tmp_path / 'bin' / name
        fake.write_text(f'#!/bin/sh\n{body}\n')
        fake.chmod(0o755)
    variables = {'PATH': launcher, 'SLURM_JOB_NODELIST': '[a-b]', 'SLURM_JOB_ID': '7'}
    for status, requeued in (('42', True), ('2', False), ('0', False)):
        calls.write_text('')
        done = subprocess.run(
            [str(DEPLOY / 'slurm.sh'), '--experiment=regnety_mini'],
            env=variables | {'STATUS': status},
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == int(status)
        cluster, *called = done.stdout.splitlines()
        assert json.loads(cluster)['task']['index'] == 1
        assert json.loads(cluster)['cluster']['worker'] == ['a:2222', 'b:2222']
        assert called == ['launch.py', '--experiment=regnety_mini']
        assert calls.read_text() == ('requeue 7\n' if requeued else '')


def test_a_tpu_vm_gets_the_command_with_its_quotes(tmp_path, launcher):
    fake = tmp_path / 'bin' / 'gcloud'
    fake.write_text('#!/bin/sh\nfor word; do :; done\nprintf "%s" "${word#--command=}"\n')
    fake.chmod(0o755)
    for command, tpu in (('run', 'local'), ('run_slice', 'mine')):
        done = subprocess.run(
            [str(DEPLOY / 'tpu_vm.sh'), command, '--experiment=regnety_400mf', '--gin=a.b = "c"'],
            env={'PATH': launcher, 'TPU': 'mine'},
            capture_output=True,
            text=True,
            check=True,
        )
        words = shlex.split(done.stdout)
        called = words[words.index('launch.py') + 1 :]
        assert called == [f'--tpu={tpu}', '--experiment=regnety_400mf', '--gin=a.b = "c"']
        assert make_parser().parse_args(called).tpu == tpu
