"""Small image data sets, in folders and archives, made from noise."""

import io
import tarfile

import numpy as np
from PIL import Image

CLASSES = ('n01440764', 'n01443537', 'n01484850')  # The first three of ImageNet.


def picture(seed, form='JPEG', mode='RGB', size=(40, 30)):
    """Returns the bytes of a picture of noise."""
    channels = {'L': (), 'RGB': (3,), 'CMYK': (4,)}[mode]
    shape = (size[1], size[0], *channels)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels, mode).save(stream, form)
    return stream.getvalue()


def train_files(each=6):
    """Returns the files of a training split by their names, some of them odd."""
    files = {
        f'{wnid}/{wnid}_{n}.JPEG': picture(10 * label + n)
        for label, wnid in enumerate(CLASSES)
        for n in range(each)
    }
    files[f'{CLASSES[0]}/{CLASSES[0]}_1.JPEG'] = picture(1, 'PNG')
    files[f'{CLASSES[1]}/{CLASSES[1]}_2.JPEG'] = picture(2, 'JPEG', 'CMYK')
    files[f'{CLASSES[2]}/{CLASSES[2]}_3.JPEG'] = picture(3, 'JPEG', 'L')
    return files


def in_folder(root, files):
    """Writes files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def archive(files):
    """Returns the bytes of a tar archive."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode='w') as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def archive_of_archives(files):
    """Returns an archive with one archive for each class, as ImageNet's training split comes."""
    groups = {}
    for name, data in files.items():
        wnid, base = name.split('/')
        groups.setdefault(wnid, {})[base] = data
    return archive({f'{wnid}.tar': archive(group) for wnid, group in groups.items()})
