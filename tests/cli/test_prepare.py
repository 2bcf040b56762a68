"""The command `prepare`: mistakes, kills, faults, and the checker that finds them."""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from garden.cli.launch import main
from garden.core.feed import Feed
from garden.prepare import output
from garden.sources.tfds import TFDS
from tests.prepare.data import archive, in_folder, picture

ROOT = Path(__file__).resolve().parents[2]
CLASSES = ('ash', 'beech', 'oak')


def trees(each=8):
    return {f'train/{c}/{n}.png': picture(n, 'PNG') for c in CLASSES for n in range(each)}


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    return in_folder(tmp_path_factory.mktemp('source') / 'Trees', trees())


@pytest.fixture(scope='module')
def whole(source, tmp_path_factory):
    """A prepared data set; it is copied by those who damage it."""
    folder = tmp_path_factory.mktemp('whole')
    assert prepare(source, folder, '--shards=4') == 0
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / 'copy'))


def prepare(source, where, *flags):
    flags = (f'--source={source}', f'--output={where}', '--split=train', *flags)
    return main(['prepare', 'image_folder', *flags])


def check(where, *flags):
    return main(['prepare', '--check', f'--output={where}', *flags])


def content(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def shards(folder):
    return sorted(folder.glob('trees/1.0.0/trees-train.tfrecord-*'))


# --- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        ('image_foldr', 'no preparer image_foldr. Did you mean image_folder?'),
        ('image_folder', 'Where? Give --output=DIR'),
        ('image_folder --output=gs://b', 'a local folder'),
        ('image_folder --output=x', '--source is missing'),
        ('image_folder --output=x --sorce=y', 'no flag --sorce. Did you mean --source'),
        ('image_folder --output=x --source=nowhere', 'source=nowhere: there is no such folder'),
        ('image_folder --output=x --source=. --shards=0', "'0' is no positive number"),
        ('--output=x', 'What is to be prepared? Name one of image_folder, imagenet2012'),
        ('--check --output=x', 'nothing that was prepared is here'),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(['prepare', *words.split()]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count('\n') == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ('files', 'flags', 'said'),
    [
        ({'train/oak/readme.txt': b'x'}, '', 'holds no pictures'),
        ({'train/1.png': b'x'}, '', '1.png lies in no class folder'),
        ({'oak/1.png': b'x'}, '', 'does not tell which split it is: give --split=train|'),
        ({'train/oak/1.png': b'x'}, '--split=validation', 'holds no validation'),
        ({'train/oak/1.png': b'x'}, '--split=trian', 'Did you mean train?'),
        (
            {'train/oak/1.png': b'x', 'val/elm/1.png': b'x'},
            '--split=validation',
            "of the class 'elm', which is not known",
        ),
        ({'train/oak/1.png': b'x'}, '--split=train --shards=2', 'has only 1 examples'),
        ({'train.tar': archive({'oak/1.png': b'x' * 512})[:1024]}, '', 'not a whole tar archive'),
    ],
)
def test_a_source_that_will_not_do_is_one_line(tmp_path, capsys, files, flags, said):
    in_folder(tmp_path / 'source', files)
    command = f'prepare image_folder --source={tmp_path}/source --output={tmp_path}/out {flags}'
    assert main(command.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_two_pictures_of_one_name_are_refused(tmp_path, capsys):
    (tmp_path / 'train').mkdir()
    twice = archive({'1.png': b'x'})
    (tmp_path / 'train' / 'oak.tar').write_bytes(twice)
    in_folder(tmp_path, {'train/oak/1.png': b'x'})
    assert prepare(tmp_path, tmp_path / 'out') == 2
    assert 'are both called oak/1.png' in capsys.readouterr().err


@pytest.mark.parametrize('separator', [' ', ', ', '\t'])
def test_a_list_gives_pictures_without_class_folders_their_labels(tmp_path, separator):
    source = in_folder(tmp_path / 'source', {f'test/{n}.png': picture(n, 'PNG') for n in range(3)})
    listed = ''.join(f'{n}.png{separator}{name}\n' for n, name in enumerate(('oak', 'ash', 'oak')))
    (tmp_path / 'list').write_text(listed)
    words = ['prepare', 'image_folder', '--name=few', f'--labels={tmp_path / "list"}']
    assert main([*words, f'--source={source}', f'--output={tmp_path}']) == 0
    data = TFDS('few', 'test', str(tmp_path))
    found = {int(data.load(key)['label']) for _, key in data.evaluation_keys(Feed(), 1)}
    assert data.class_names == ['ash', 'oak']
    assert found == {0, 1}


def test_an_empty_class_is_a_warning_and_keeps_its_label(tmp_path, capsys):
    in_folder(tmp_path / 'woods', trees(1))
    (tmp_path / 'woods/train/birch').mkdir()
    assert prepare(tmp_path / 'woods', tmp_path / 'out') == 0
    assert 'the folder birch holds no picture' in capsys.readouterr().out
    (labels,) = tmp_path.glob('out/woods/1.0.0/label.labels.txt')
    assert labels.read_text().split() == ['ash', 'beech', 'birch', 'oak']


def test_unusable_files_are_all_listed_and_left_out_only_when_asked(tmp_path, source, capsys):
    folder = tmp_path / 'trees'
    shutil.copytree(source, folder)
    (folder / 'train/ash/1.png').write_bytes(b'')
    (folder / 'train/oak/2.png').write_bytes(b'<html>not found</html>')
    assert prepare(folder, tmp_path / 'out', '--shards=4') == 2
    said = capsys.readouterr()
    assert 'ash/1.png is empty' in said.out
    assert 'oak/2.png is no JPEG, PNG, BMP, GIF picture' in said.out
    assert '2 of 24 files cannot be used' in said.err
    assert prepare(folder, tmp_path / 'out', '--shards=4', '--skip_bad') == 0
    said = capsys.readouterr().out
    assert '22 examples' in said
    assert '2 files were left out' in said
    assert check(tmp_path / 'out') == 0


def test_a_mended_file_is_all_that_a_refused_run_lacks(tmp_path, source, whole):
    folder = tmp_path / 'trees'
    shutil.copytree(source, folder)
    good = (folder / 'train/ash/1.png').read_bytes()
    (folder / 'train/ash/1.png').write_bytes(bytes(len(good)))
    assert prepare(folder, tmp_path / 'out', '--shards=4') == 2
    before = {path: path.stat().st_mtime_ns for path in shards(tmp_path / 'out')}
    assert len(before) == 3
    (folder / 'train/ash/1.png').write_bytes(good)
    assert prepare(folder, tmp_path / 'out', '--shards=4') == 0
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert content(tmp_path / 'out') == content(whole)


# --- what is there already ------------------------------------------------------------------------


def test_a_finished_output_says_so_and_is_left_alone(source, copy, capsys):
    before = {path: path.stat().st_mtime_ns for path in copy.rglob('*')}
    assert prepare(source, copy, '--shards=4') == 0
    assert 'train is finished: 24 examples' in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in copy.rglob('*')} == before
    assert prepare(source, copy, '--shards=3') == 2
    assert 'is finished, with --shards=4' in capsys.readouterr().err


def test_a_folder_that_holds_something_else_is_refused(source, tmp_path, capsys):
    in_folder(tmp_path, {'trees/1.0.0/dataset_info.json': b'{}'})
    assert prepare(source, tmp_path) == 2
    assert 'was not prepared here (dataset_info.json)' in capsys.readouterr().err
    assert (tmp_path / 'trees/1.0.0/dataset_info.json').read_bytes() == b'{}'


def test_a_split_with_other_classes_than_its_siblings_is_refused(copy, tmp_path, capsys):
    in_folder(tmp_path / 'other', {'val/elm/1.png': picture(1, 'PNG')})
    words = ['prepare', 'image_folder', f'--source={tmp_path}/other', f'--output={copy}']
    assert main([*words, '--name=trees']) == 2
    assert 'train was prepared with other classes' in capsys.readouterr().err


def test_a_full_file_system_is_seen_before_anything_is_written(
    source, tmp_path, monkeypatch, capsys
):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(output.shutil, 'disk_usage', lambda path: usage)
    assert prepare(source, tmp_path) == 74
    assert 'GB free; train needs' in capsys.readouterr().err
    assert not shards(tmp_path)


def test_an_output_that_is_a_file_is_one_line(source, tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert prepare(source, tmp_path / 'file') == 2
    assert 'cannot be read: Not a directory' in capsys.readouterr().err


# --- faults on real processes ---------------------------------------------------------------------


def start(source, where, *flags, **options):
    """Starts a process that prepares a data set."""
    command = [sys.executable, str(ROOT / 'launch.py'), 'prepare', 'image_folder']
    command += [f'--source={source}', f'--output={where}', '--split=train', *flags]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def stop_after(process, folder, count, number):
    """Sends a signal once so many shards are in place; returns how many there are then."""
    end = time.monotonic() + 120
    while len(shards(folder)) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)
    process.send_signal(number)
    process.communicate()
    return len(shards(folder))


@pytest.fixture(scope='module')
def forest(tmp_path_factory):
    """A source of 300 pictures, and what is made of it in 300 shards."""
    folder = in_folder(tmp_path_factory.mktemp('forest') / 'trees', trees(100))
    made = tmp_path_factory.mktemp('made')
    assert prepare(folder, made, '--shards=300') == 0
    return folder, made


def stopped(source, folder, *signals):
    """Returns a folder in which a run of 300 shards was begun and stopped by each signal."""
    for attempt in range(9):  # On a busy machine a run may be done before the signal comes.
        where, there = folder / str(attempt), 0
        for number in signals:
            process = start(source, where, '--shards=300')
            there = stop_after(process, where, there + 30, number)
            if there == 300:
                break
            assert process.returncode == (-9 if number == signal.SIGKILL else 42)
        else:
            return where
    raise AssertionError('No run could be stopped.')


def test_a_killed_run_goes_on_and_comes_to_the_same_files(forest, tmp_path, capsys):
    source, made = forest
    where = stopped(source, tmp_path, signal.SIGKILL)
    times = {path: path.stat().st_mtime_ns for path in shards(where)}
    assert len(times) >= 30
    assert check(where) == 1
    assert 'unfinished; run the command' in capsys.readouterr().out
    assert prepare(source, where, '--shards=300') == 0
    assert content(where) == content(made)
    assert {path: path.stat().st_mtime_ns for path in times} == times, 'nothing is done twice'


@pytest.mark.slow
@pytest.mark.exhaustive  # One kill is in the fast tests.
def test_a_run_that_is_killed_again_and_again_comes_to_the_same_files(forest, tmp_path):
    source, made = forest
    where = stopped(source, tmp_path, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    assert prepare(source, where, '--shards=300') == 0
    assert content(where) == content(made)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_stop_at_any_rename_loses_nothing(source, whole, tmp_path, monkeypatch):
    replace, where = os.replace, tmp_path / 'out'
    for moment in range(100):
        left = moment

        def dying(*paths):
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            replace(*paths)

        monkeypatch.setattr(output.os, 'replace', dying)
        shutil.rmtree(where, ignore_errors=True)
        try:
            prepare(source, where, '--shards=4', '--workers=1')
        except Killed:
            pass
        else:
            break
        monkeypatch.setattr(output.os, 'replace', replace)
        assert prepare(source, where, '--shards=4') == 0
        assert content(where) == content(whole), moment
    assert moment > 10
    monkeypatch.undo()


def test_another_source_does_not_go_on_with_what_was_begun(source, tmp_path, monkeypatch, capsys):
    def dying(*arguments):
        raise Killed

    monkeypatch.setattr(output.Output, 'finish', dying)
    with pytest.raises(Killed):
        prepare(source, tmp_path, '--shards=4')
    monkeypatch.undo()
    for flag in ('--shards=3', '--seed=1'):
        assert prepare(source, tmp_path, '--shards=4', flag) == 2
        assert 'begun from another source or with other settings' in capsys.readouterr().err
    assert prepare(source, tmp_path, '--shards=4') == 0


def test_two_processes_do_not_write_into_one_folder(source, tmp_path, capsys):
    work = tmp_path / 'trees/1.0.0/.preparing-train'
    work.mkdir(parents=True)
    with open(work / 'lock', 'w') as lock:  # As the other process holds it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert prepare(source, tmp_path) == 2
        assert 'another process is at train' in capsys.readouterr().err
        assert not shards(tmp_path)
    assert prepare(source, tmp_path) == 0, 'the lock ends with the process'


@pytest.mark.slow
def test_a_file_system_that_fills_up_is_one_line_with_status_74(source, whole, tmp_path):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))

    process = start(source, tmp_path, '--shards=4', preexec_fn=small_files)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 74, error
    assert error.count('\n') == 1
    assert 'cannot be written' in error
    assert prepare(source, tmp_path, '--shards=4') == 0
    assert content(tmp_path) == content(whole)


# --- the checker ----------------------------------------------------------------------------------


def test_nothing_is_wrong_with_what_was_prepared(whole, capsys):
    assert check(whole, '--decode') == 0
    assert 'train is whole, 24 examples' in capsys.readouterr().out
    assert check(whole / 'trees' / '1.0.0') == 0


def flip(path, byte):
    data = bytearray(path.read_bytes())
    data[byte] ^= 1
    path.write_bytes(data)


def test_a_flipped_bit_is_found_and_its_file_can_be_made_anew(source, copy, whole, capsys):
    damaged = shards(copy)[1]
    flip(damaged, 20)
    assert check(copy) == 1
    said = capsys.readouterr().out
    assert f'{damaged}: its checksum is not that of the manifest' in said
    assert f'{damaged}, record 0: damaged' in said
    damaged.unlink()
    assert check(copy) == 1
    assert f'{damaged}: No such file' in capsys.readouterr().out
    others = {path: path.stat().st_mtime_ns for path in shards(copy)}
    assert prepare(source, copy, '--shards=4') == 0
    assert content(copy) == content(whole)
    assert all(path.stat().st_mtime_ns == time for path, time in others.items())


def rewrite(path, change):
    """Writes the records of a file anew; `change` gets the list of examples."""
    import tensorflow as tf

    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    examples = [tf.train.Example.FromString(record) for record in records]
    change(examples)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for example in examples:
            writer.write(example.SerializeToString())


def put(key, value):
    def change(examples):
        feature = examples[2].features.feature[key]
        (feature.bytes_list if isinstance(value, bytes) else feature.int64_list).value[0] = value

    return change


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (put('label', 3), 'record 2: has the label 3, of 3 classes'),
        (put('image', b'nothing'), 'record 2: is no JPEG, PNG'),
        (put('image', b''), 'record 2: is empty'),
        (lambda examples: examples.pop(), '5 records instead of 6'),
        (lambda examples: examples.append(examples[0]), 'is there 2 times'),
        (lambda examples: examples[2].features.feature.pop('label'), "has no feature 'label'"),
    ],
)
def test_what_is_wrong_with_a_record_is_said(copy, capsys, change, said):
    rewrite(shards(copy)[0], change)
    assert check(copy) == 1
    assert said in capsys.readouterr().out


def test_a_picture_that_is_cut_off_is_found_by_decoding(copy, capsys):
    rewrite(shards(copy)[0], put('image', picture(5, 'PNG')[:200]))
    assert check(copy) == 1
    assert 'record 2' not in capsys.readouterr().out, 'its header is whole'
    assert check(copy, '--decode') == 1
    assert 'record 2: cannot be decoded' in capsys.readouterr().out


def test_strange_files_and_other_metadata_are_found(copy, capsys):
    folder = copy / 'trees/1.0.0'
    shutil.copy(shards(copy)[0], folder / 'trees-train.tfrecord-00000-of-00001')
    info = (folder / 'dataset_info.json').read_text()
    (folder / 'dataset_info.json').write_text(info.replace('"6"', '"7"'))
    assert check(copy) == 1
    said = capsys.readouterr().out
    assert 'trees-train.tfrecord-00000-of-00001: no part of the data set' in said
    assert 'other numbers of examples than in the manifest' in said


def test_a_damaged_manifest_is_one_line(copy, capsys):
    (copy / 'trees/1.0.0/train.manifest.json').write_text('{"kind"')
    assert check(copy) == 2
    assert 'is damaged' in capsys.readouterr().err


def test_help_imports_no_tensorflow():
    program = (
        'import sys\n'
        'from garden.cli.launch import main\n'
        'try: main(["prepare", "imagenet2012", "--help"])\n'
        'except SystemExit: pass\n'
        'print("tensorflow" in sys.modules, "tensorflow_datasets" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ['False', 'False']
    assert 'ILSVRC2012_img_train.tar' in done.stdout
