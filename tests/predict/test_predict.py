"""Files in, a table and pictures out: of an export that TensorFlow alone made."""

import csv
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.cli.launch import main
from garden.core.errors import StorageError, UserError
from garden.predict import run
from garden.predict.output import Output
from garden.predict.run import Request, predict_export

NAMES = ['dark', 'grey', 'bright']


def brightness(picture):
    """Says how near the mean level of a picture is to 0, 0.5 and 1."""
    spec = tf.TensorSpec([], tf.float32)

    def level(data):
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.reduce_mean(tf.cast(pixels, tf.float32)) / 255

    levels = tf.map_fn(level, picture, fn_output_signature=spec)
    near = tf.nn.softmax(-10 * tf.abs(levels[:, None] - [0.0, 0.5, 1.0]))
    names = tf.broadcast_to(tf.constant(NAMES), tf.shape(near))
    return {
        'probability': tf.ensure_shape(near, [None, 3]),
        'class_name': tf.ensure_shape(names, [None, 3]),
        'level': levels,
    }


def negative(picture):
    """Makes a picture of 2 x 2 pixels, with the negative of the first."""

    def one(data):
        pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
        return tf.fill([2, 2, 1], 255 - pixels[0, 0, 0])

    spec = tf.TensorSpec([2, 2, 1], tf.uint8)
    return {'picture': tf.map_fn(one, picture, fn_output_signature=spec)}


def scaled(x, factor):
    return {'y': factor * x, 'square': x[:, :, None] * x[:, None, :], 'sum': tf.reduce_sum(x, 1)}


def save(folder, **functions):
    files = tf.TensorSpec([None], tf.string, name='picture')
    numbers = tf.TensorSpec([None, 2], tf.float32, 'x'), tf.TensorSpec([], tf.float32, 'factor')
    signatures = {
        name: tf.function(f, input_signature=numbers if f is scaled else [files])
        for name, f in functions.items()
    }
    tf.saved_model.save(tf.Module(), str(folder / 'saved_model'), signatures=signatures)
    return folder


@pytest.fixture(scope='module')
def export(tmp_path_factory):
    return save(tmp_path_factory.mktemp('export'), brightness=brightness, scaled=scaled)


@pytest.fixture(scope='module')
def two_ways(tmp_path_factory):
    return save(tmp_path_factory.mktemp('ways'), brightness=brightness, negative=negative)


def encoded(level, kind, mode='L', size=(8, 6)):
    buffer = io.BytesIO()
    Image.new('L', size, level).convert(mode).save(buffer, kind)
    return buffer.getvalue()


# The level of each picture, and None for what is none.
FILES = {
    '1_white.png': (encoded(255, 'PNG'), 1.0),
    '2_cmyk.jpg': (encoded(255, 'JPEG', 'CMYK'), 1.0),
    '3_empty.jpg': (b'', None),
    '4_png_by_another_name.jpg': (encoded(0, 'PNG', 'RGBA'), 0.0),
    '5_cut.jpg': (encoded(128, 'JPEG', size=(400, 400))[:700], None),
    '6_grey.jpg': (encoded(128, 'JPEG'), 128 / 255),
    '7_cut.png': (encoded(128, 'PNG')[:50], None),
    '8.bmp': (encoded(0, 'BMP', 'RGB'), 0.0),
    '9.gif': (encoded(255, 'GIF'), 1.0),
    '10/notes.txt': (b'no picture', None),
    '11.tif': (encoded(0, 'TIFF'), None),
    '12_large.jpg': (encoded(0, 'JPEG', 'RGB', (1200, 800)), 0.0),
}
GOOD = {name: level for name, (_, level) in FILES.items() if level is not None}


@pytest.fixture(scope='module')
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp('mixed')
    for name, (data, _) in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def rows_of(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_picture_in_the_order_of_the_input(export, mixed, tmp_path):
    done = predict_export(export, Request([str(mixed)], tmp_path / 'out', top=2))
    rows = rows_of(done.table)
    assert [row['file'] for row in rows] == [str(mixed / name) for name in GOOD]
    assert (done.rows, done.unreadable) == (len(GOOD), len(FILES) - len(GOOD))
    for row, level in zip(rows, GOOD.values(), strict=True):
        assert float(row['level']) == pytest.approx(level, abs=0.01)
        near = np.exp(-10 * np.abs(level - np.array([0, 0.5, 1])))
        order = np.argsort(-near)
        assert row['class_name_1'] == NAMES[order[0]]
        assert float(row['probability_1']) == pytest.approx(max(near) / sum(near), abs=0.03)
        assert float(row['probability_1']) >= float(row['probability_2'])
        assert 'class_name_3' not in row
    refused = {row['file']: row['reason'] for row in rows_of(tmp_path / 'out/unreadable.csv')}
    assert list(refused) == [str(mixed / name) for name in FILES if name not in GOOD]
    assert all(refused.values())
    assert 'Unknown image file format' in refused[str(mixed / '10/notes.txt')]
    marker = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert (marker['signature'], marker['rows']) == ('brightness', len(GOOD))


def test_the_pictures_are_drawn_with_what_was_found(export, mixed, tmp_path):
    done = predict_export(export, Request([str(mixed)], tmp_path / 'out'))
    rows = rows_of(done.table)
    assert len({row['drawn'] for row in rows}) == len(GOOD)
    for row, level in zip(rows, GOOD.values(), strict=True):
        drawn = np.asarray(Image.open(tmp_path / 'out' / row['drawn']))
        top, bottom = drawn[20, drawn.shape[1] // 2], drawn[-90:]
        assert np.abs(top - 255.0 * level).max() < 4
        assert (bottom < 100).any(axis=2).sum() > 100  # Letters.
        assert max(drawn.shape) < 1000


def test_json_lines_hold_lists(export, mixed, tmp_path):
    out = tmp_path / 'out.jsonl'
    done = predict_export(export, Request([f'{mixed}/1_*', f'{mixed}/3_*'], out))
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row['class_name'] == ['bright', 'grey', 'dark']
    assert row['probability'] == sorted(row['probability'], reverse=True)
    # As many digits as a float32 has.
    assert len(str(row['probability'][0])) <= 11
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'out.jsonl',
        'out.jsonl.unreadable.csv',
    ]
    assert done.table == done.path


def test_pictures_that_are_given_are_files(two_ways, mixed, tmp_path):
    with pytest.raises(UserError, match=r'choose --signature=brightness\|negative'):
        predict_export(two_ways, Request([str(mixed)], tmp_path / 'out'))
    with pytest.raises(UserError, match='name a folder'):
        predict_export(two_ways, Request([str(mixed)], tmp_path / 'out.csv', 'negative'))
    done = predict_export(two_ways, Request([str(mixed)], tmp_path / 'out', 'negative'))
    for row, level in zip(rows_of(done.table), GOOD.values(), strict=True):
        picture = np.asarray(Image.open(tmp_path / 'out' / row['picture']))
        assert picture.shape == (2, 2, 3)
        assert np.abs(picture - 255.0 * (1 - level)).max() < 2


def test_arrays_go_in_and_come_out(export, tmp_path):
    x = np.arange(140.0).reshape(70, 2)
    np.savez(tmp_path / 'a.npz', x=x, factor=2.0)
    np.savez(tmp_path / 'b.npz', x=x[:, :1], factor=2.0)
    files = [str(tmp_path / 'a.npz'), str(tmp_path / 'b.npz')]
    done = predict_export(export, Request(files, tmp_path / 'out'))
    rows = rows_of(done.table)
    assert (done.signature, done.unreadable) == ('scaled', 1)
    assert [int(row['example']) for row in rows] == list(range(70))
    assert [[float(row['y_1']), float(row['y_2'])] for row in rows] == (2 * x).tolist()
    assert [float(row['sum']) for row in rows] == x.sum(axis=1).tolist()
    square = np.load(tmp_path / 'out' / rows[5]['square'])
    np.testing.assert_array_equal(square, np.outer(x[5], x[5]))


def test_an_output_is_replaced_only_when_the_new_one_is_whole(export, mixed, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    predict_export(export, Request([str(mixed / '1_white.png')], out))
    before = (out / 'predictions.csv').read_text()

    def full(*arguments):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(Output, 'add', full)
    with pytest.raises(StorageError, match='No space left'):
        predict_export(export, Request([str(mixed)], out))
    with pytest.raises(StorageError, match='No space left'):
        predict_export(export, Request([str(mixed)], tmp_path / 'out.csv'))
    monkeypatch.undo()
    with pytest.raises(UserError, match='can be used'):
        predict_export(export, Request([str(mixed / '11.tif')], out))
    assert (out / 'predictions.csv').read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ['out']
    predict_export(export, Request([str(mixed / '8.bmp')], out))
    assert len(list((out / 'pictures').iterdir())) == 1


def test_an_output_within_the_input_is_not_read_the_next_time(export, tmp_path):
    for i in range(3):
        (tmp_path / f'{i}.png').write_bytes(encoded(i, 'PNG'))
    for _ in range(2):
        assert predict_export(export, Request([str(tmp_path)], tmp_path / 'found')).rows == 3
    table = tmp_path / 'table.csv'
    assert predict_export(export, Request([f'{tmp_path}/*.*'], table)).unreadable == 0


def test_what_is_not_ours_is_let_be(export, mixed, tmp_path):
    (tmp_path / 'thesis.tex').write_text('')
    (tmp_path / 'mine.csv').write_text('mine')
    with pytest.raises(UserError, match='something else than predictions'):
        predict_export(export, Request([str(mixed)], tmp_path))
    with pytest.raises(UserError, match='exists: remove it'):
        predict_export(export, Request([str(mixed)], tmp_path / 'mine.csv'))
    assert (tmp_path / 'mine.csv').read_text() == 'mine'


def test_the_network_sees_many_at_a_time(export, tmp_path, monkeypatch):
    for i in range(70):
        (tmp_path / f'{i}.png').write_bytes(encoded(i, 'PNG'))
    sizes = []
    monkeypatch.setattr(
        run,
        'separately',
        lambda call, files: sizes.append(len(files)) or [{'level': 0.0}] * len(files),
    )
    monkeypatch.setattr(run.Columns, 'values', lambda self, outputs: {'level': 0.0})
    predict_export(export, Request([str(tmp_path)], tmp_path / 'out.jsonl'))
    assert sizes == [32, 32, 6]


def test_the_command_says_what_it_did(export, mixed, tmp_path, capfd):
    flags = [f'--export_dir={export}', f'--input={mixed}', f'--output={tmp_path}/o', '--top_k=1']
    assert main(['--mode=predict', *flags]) == 0
    said = capfd.readouterr()
    assert said.out == (
        f'{len(GOOD)} rows by brightness in {tmp_path}/o/predictions.csv\n'
        f'{len(FILES) - len(GOOD)} files could not be read: {tmp_path}/o/unreadable.csv\n'
    )
    assert said.err == ''


def test_mistakes_are_told_in_one_line(export, mixed, tmp_path, capfd):
    np.save(tmp_path / 'x.npy', np.zeros([1, 2]))
    (tmp_path / 'empty').mkdir()
    out, of, good = f'--output={tmp_path}/o', f'--export_dir={export}', f'--input={mixed}'

    def refused(*arguments):
        assert main(['--mode=predict', *arguments]) == 2
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert not (tmp_path / 'o').exists()
        return line

    assert 'needs --input' in refused(of, out)
    assert 'needs --output' in refused(of, good)
    assert 'Which run?' in refused(good, out)
    assert 'no run folder' in refused(f'--model_dir={mixed}', good, out)
    broken = tmp_path / 'broken/saved_model'
    broken.mkdir(parents=True)
    (broken / 'saved_model.pb').write_bytes(b'not a model')
    assert 'export it again' in refused(f'--export_dir={tmp_path}/broken', good, out)
    assert 'is no export' in refused(f'--export_dir={mixed}', good, out)
    assert 'leave out the run' in refused(of, f'--model_dir={mixed}', good, out)
    assert 'no such file' in refused(of, f'--input={tmp_path}/nothing', out)
    assert 'there is no file in it' in refused(of, f'--input={tmp_path}/empty', out)
    assert '--top_k is at least 1' in refused(of, good, out, '--top_k=0')
    assert 'Did you mean brightness?' in refused(of, good, out, '--signature=brightnes')
    assert 'takes the arrays' in refused(of, f'--input={tmp_path}/x.npy', out)
    assert 'takes the bytes' in refused(of, good, out, '--signature=scaled')
    assert 'None of 1 files' in refused(of, f'--input={mixed}/3_empty.jpg', out)
    assert main(['--experiment=regnety_mini', good]) == 2
    assert '--input goes with --mode=predict' in capfd.readouterr().err
