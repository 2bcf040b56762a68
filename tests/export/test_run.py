"""A run is exported to something that needs nothing of what it was made with."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import regnety_mini
import tensorflow as tf

from garden.cli.launch import main
from garden.core.errors import StorageError, UserError
from garden.engine.experiments import parse_header
from garden.export import export_run, saved_model
from garden.export.card import Card
from garden.tasks.image_classification import ImageClassification

MEAN, STD = 0.3053, 0.3760  # Of base/digits.gin.

ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('garden', 'gin', 'tf_keras', 'orbit', 'official'):
            raise ImportError(f'{name} is not to be had here')

sys.meta_path.insert(0, Refuse())
import numpy as np
import tensorflow as tf

given = np.load(sys.argv[2])
model = tf.saved_model.load(sys.argv[1])
logits = model.signatures['serving_default'](image=tf.constant(given['images']))
named = model.signatures['classify_picture'](picture=tf.constant(given['pictures'].tolist()))
outputs = {name: tensor.numpy() for name, tensor in {**logits, **named}.items()}
np.savez(sys.argv[3], **outputs | {'class_name': outputs['class_name'].astype('S')})
"""


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A run whose best checkpoint is not its last, and which evaluates with averaged weights."""
    folder = tmp_path_factory.mktemp('runs') / 'run'
    patch = pytest.MonkeyPatch()
    patch.setenv('TFDS_DATA_DIR', str(tmp_path_factory.mktemp('data')))
    averaged = 'tasks.image_classification.average_decay = 0.5'
    launch = regnety_mini.flags(*regnety_mini.BEST_IS_FIRST, averaged)
    assert main([*launch, '--strategy=one_device', f'--model_dir={folder}']) == 0
    yield folder
    patch.undo()


@pytest.fixture(scope='module')
def exported(trained, tmp_path_factory):
    """An export of that run, to look at and not to change."""
    return export_run(trained, tmp_path_factory.mktemp('exports') / 'out')


def network_of(checkpoint):
    """The network with the averaged weights of a checkpoint."""
    model = regnety_mini.network()
    model(tf.zeros([1, 32, 32, 3]))
    reader = tf.train.load_checkpoint(str(checkpoint))
    for i, variable in enumerate(model.variables):
        shadow = f'task/average/shadows/{i}/.ATTRIBUTES/VARIABLE_VALUE'
        variable.assign(reader.get_tensor(shadow))
    return model


def test_it_runs_where_there_is_only_tensorflow(trained, exported, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    images = ((pixels / 255 - MEAN) / STD).astype(np.float32)
    pictures = [tf.io.encode_png(picture).numpy() for picture in pixels]
    np.savez(tmp_path / 'given.npz', images=images, pictures=np.array(pictures))
    arguments = [exported.path / 'saved_model', tmp_path / 'given.npz', tmp_path / 'found.npz']
    done = subprocess.run(
        [sys.executable, '-c', ALONE, *map(str, arguments)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith('TF_')},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / 'found.npz')

    (best,) = (trained / 'main/best').glob('*.index')
    expected = network_of(best.with_suffix(''))(images, training=False).numpy()
    np.testing.assert_allclose(found['logits'], expected, atol=1e-5)
    odds = np.exp(expected - expected.max(1, keepdims=True))
    np.testing.assert_allclose(found['probability'], odds / odds.sum(1, keepdims=True), atol=1e-5)
    assert found['class_name'].tolist() == [[str(n).encode() for n in range(10)]] * 3


def test_the_card_says_what_it_is(trained, tmp_path):
    rows = [json.loads(line) for line in (trained / 'metrics.jsonl').read_text().splitlines()]
    losses = {row['step']: row['loss'] for row in rows if row['kind'] == 'eval'}
    for which, step in (('best', 2), ('last', 4)):
        exported = export_run(trained, tmp_path / which, which)
        card = json.loads((exported.path / 'card.json').read_text())
        assert (card['checkpoint'], card['step']) == (which, step)
        assert card['metrics']['loss'] == losses[step]
        assert (exported.path / 'config.gin').read_text() == (trained / 'config.gin').read_text()
    assert card['experiment'] == 'regnety_mini'
    assert card['versions']['tensorflow'] == tf.__version__
    assert card['signatures']['serving_default'] == {
        'inputs': {'image': {'dtype': 'float32', 'shape': [None, 32, 32, 3]}},
        'outputs': {'logits': {'dtype': 'float32', 'shape': [None, 10]}},
    }
    text = (exported.path / 'README.md').read_text()
    for part in ('regnety_mini', 'last checkpoint, step 4', '`image` float32 [any, 32, 32, 3]'):
        assert part in text


def test_it_holds_no_more_than_the_signatures_read(trained, exported):
    stored = tf.train.list_variables(str(exported.path / 'saved_model/variables/variables'))
    weights = [shape for name, shape in stored if name.startswith('read/')]
    model = network_of(tf.train.latest_checkpoint(trained / 'main/checkpoints'))
    assert sorted(weights) == sorted(variable.shape.as_list() for variable in model.variables)
    assert len(stored) <= len(weights) + 2


def test_the_command_exports_into_the_run_folder_and_again(trained, capfd):
    for which in ('best', 'last'):
        flags = ['--mode=export', f'--model_dir={trained}', f'--export_checkpoint={which}']
        assert main(flags) == 0
        said = capfd.readouterr().out
        assert f'({which} checkpoint)' in said
        assert f'{trained}/export' in said
        assert json.loads((trained / 'export/card.json').read_text())['checkpoint'] == which
    left = [path.name for path in trained.iterdir() if 'export' in path.name]
    assert left == ['export']


def test_what_was_exported_stays_until_the_new_one_is_whole(
    trained, exported, tmp_path, monkeypatch
):
    shutil.copytree(exported.path, tmp_path / 'out')

    def full(signatures, directory):
        (directory / 'begun').mkdir(parents=True)
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(saved_model, 'write', full)
    with pytest.raises(StorageError, match='No space left'):
        export_run(trained, tmp_path / 'out', 'last')
    assert json.loads((tmp_path / 'out/card.json').read_text())['checkpoint'] == 'best'
    assert [path.name for path in tmp_path.iterdir()] == ['out']
    monkeypatch.undo()
    export_run(trained, tmp_path / 'out', 'last')
    assert json.loads((tmp_path / 'out/card.json').read_text())['checkpoint'] == 'last'
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_a_folder_of_something_else_is_let_be(trained, tmp_path):
    (tmp_path / 'thesis.tex').write_text('')
    with pytest.raises(UserError, match='something else than an export'):
        export_run(trained, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.tex']


def test_a_licence_in_the_header_stands_on_the_card():
    fields = parse_header('# A model.\n#\n# Licence: CC BY 4.0\n').fields
    names = [field.name for field in dataclasses.fields(Card)]
    values = dict.fromkeys(names, '') | {'step': 1, 'metrics': {}, 'data': {}}
    values |= {'signatures': {'serve': {'inputs': {}, 'outputs': {}}}, 'licence': fields['Licence']}
    card = Card(**values)
    assert json.loads(card.to_json())['licence'] == 'CC BY 4.0'
    assert '| licence | CC BY 4.0 |' in card.to_markdown()


def test_mistakes_are_told_in_one_line(trained, tmp_path, monkeypatch, capfd):
    def refused(*arguments):
        assert main(arguments) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        return line

    mode = '--mode=export'
    assert 'no run folder' in refused(mode, f'--model_dir={tmp_path}')
    assert 'Give --model_dir' in refused(mode)
    assert '--mode=export' in refused('--experiment=regnety_mini', f'--export_dir={tmp_path}')
    wrong = refused(mode, f'--model_dir={trained}', '--export_checkpoint=bets')
    assert 'Did you mean best?' in wrong
    other = refused(mode, '--experiment=regnety_mini', f'--model_dir={trained}')
    assert 'holds a run of another configuration' in other
    (tmp_path / 'config.gin').write_text((trained / 'config.gin').read_text())
    assert 'nothing to export' in refused(mode, f'--model_dir={tmp_path}')
    monkeypatch.setattr(ImageClassification, 'signatures', lambda self: {})
    assert 'has no signatures' in refused(mode, f'--model_dir={trained}')
    files = [f'--input={tmp_path}', f'--output={tmp_path}/out']
    predicting = refused('--mode=predict', f'--model_dir={trained}', *files)
    assert 'nothing to predict with' in predicting
    predicting = refused('--mode=predict', f'--model_dir={tmp_path}', *files)
    assert 'nothing to predict with' in predicting


def test_a_run_its_weights_and_its_export_predict_the_same(trained, tmp_path, capfd):
    for i, level in enumerate((0, 90, 255)):
        picture = tf.io.encode_png(tf.fill([20, 30, 3], tf.constant(level, tf.uint8)))
        tf.io.write_file(f'{tmp_path}/in/{i}.png', picture)
    exported = export_run(trained, tmp_path / 'export', 'last')
    weights = tf.train.latest_checkpoint(trained / 'main/checkpoints')
    last = export_run(trained, tmp_path / 'best')
    assert exported.card.step != last.card.step
    rows = {}
    for name, flags in {
        'run': [f'--model_dir={trained}'],
        'best': [f'--export_dir={last.path}'],
        'last': [f'--export_dir={exported.path}'],
        'weights': [
            '--experiment=regnety_mini',
            f'--model_dir={tmp_path}/none',
            f'--init_checkpoint={weights}',
        ],
    }.items():
        out = tmp_path / f'{name}.jsonl'
        flags += [f'--input={tmp_path}/in', f'--output={out}', '--top_k=3']
        assert main(['--mode=predict', *flags]) == 0
        rows[name] = [json.loads(line) for line in out.read_text().splitlines()]
        assert [row['file'] for row in rows[name]] == [f'{tmp_path}/in/{i}.png' for i in range(3)]
    assert '3 rows by classify_picture' in capfd.readouterr().out

    def probabilities(name):
        return [row['probability'] for row in rows[name]]

    np.testing.assert_allclose(probabilities('run'), probabilities('best'), atol=1e-5)
    # Weights that are loaded stand for themselves, not for the average that a run has made.
    assert np.abs(np.subtract(probabilities('weights'), probabilities('last'))).max() > 1e-6
    network = network_of(weights)
    for row in rows['last']:
        level = {0: 0, 1: 90, 2: 255}[int(row['file'][-5])]
        image = np.full([1, 32, 32, 3], (level / 255 - MEAN) / STD, np.float32)
        odds = np.exp(network(image, training=False).numpy()[0])
        expected = sorted(odds / odds.sum(), reverse=True)[:3]
        np.testing.assert_allclose(row['probability'], expected, atol=1e-5)
    assert not (tmp_path / 'none').exists()


@pytest.mark.slow
def test_the_command_exports_every_format_and_says_how_close_each_is(trained, tmp_path, capfd):
    kinds = ('tflite', 'tflite_float16', 'tflite_int8', 'onnx')
    flags = [f'--model_dir={trained}', f'--export_dir={tmp_path}/out']
    assert main(['--mode=export', *flags, f'--export_formats={",".join(kinds)}']) == 0
    said = capfd.readouterr()
    assert said.err == ''
    assert 'tflite_int8: serving_default' in said.out
    assert 'classify_picture as tflite' in said.out
    card = json.loads((tmp_path / 'out/card.json').read_text())
    for kind in kinds:
        file = card['formats'][kind]['files']['serving_default']
        assert (tmp_path / 'out' / file['file']).stat().st_size == file['bytes']
        assert file['outputs']['logits']['same_class'] >= 0.95
        assert file['file'] in (tmp_path / 'out/README.md').read_text()


def test_converted_weights_are_exported_without_a_run(trained, tmp_path, capfd):
    weights = tf.train.latest_checkpoint(trained / 'main/checkpoints')
    model_dir, out = tmp_path / 'none', tmp_path / 'out'
    flags = [f'--model_dir={model_dir}', f'--export_dir={out}', f'--init_checkpoint={weights}']
    assert main(['--mode=export', '--experiment=regnety_mini', *flags]) == 0
    assert '(init_checkpoint checkpoint)' in capfd.readouterr().out
    loaded = tf.saved_model.load(out / 'saved_model')
    assert loaded.signatures['serving_default'](image=tf.zeros([1, 32, 32, 3]))['logits'].shape
    assert not model_dir.exists()
