"""Makes data/regnet_references.npz: logits of the original RegNets for weights from a seed.

It runs where PyTorch, timm, torchvision, yacs and iopath are installed, with pycls on the path:

    PYTHONPATH=PYCLS python tests/convert/make_regnet_references.py

Measured with torch 2.13.0 (CPU), timm 1.0.31, torchvision 0.28.0 and pycls of August 2023.
"""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
# Declares operators of detection, which builds of torchvision without them cannot.
sys.modules['torchvision._meta_registrations'] = types.ModuleType('_meta_registrations')

import seeded  # noqa: E402
import timm  # noqa: E402
import torchvision  # noqa: E402
from pycls.core import config as pycls_config  # noqa: E402
from pycls.models.regnet import RegNet  # noqa: E402

# The designs of pycls's configurations: depth, w_0, w_a, w_m, group width.
PYCLS = {
    'regnety 200mf': (13, 24, 36.44, 2.49, 8),
    'regnety 400mf': (16, 48, 27.89, 2.09, 8),
    'regnety 800mf': (14, 56, 38.84, 2.4, 16),
    'regnetx 400mf': (22, 24, 24.48, 2.54, 16),
    'regnetx 8.0gf': (23, 80, 49.56, 2.88, 120),
}


def pycls(case: str) -> torch.nn.Module:
    cfg = pycls_config.cfg
    pycls_config.reset_cfg()
    cfg.MODEL.NUM_CLASSES = 1000
    cfg.REGNET.SE_ON = case.startswith('regnety')
    design = dict(zip(('DEPTH', 'W0', 'WA', 'WM', 'GROUP_W'), PYCLS[case], strict=True))
    for name, value in design.items():
        setattr(cfg.REGNET, name, value)
    return RegNet()


CASES: dict[str, Callable[[], torch.nn.Module]] = {
    'timm regnety 200mf pycls': lambda: timm.create_model('regnety_002'),
    'timm regnety 400mf pycls': lambda: timm.create_model('regnety_004'),
    'timm regnety 800mf pycls': lambda: timm.create_model('regnety_008'),
    'timm regnety 800mf torchvision': lambda: timm.create_model('regnety_008_tv'),
    'timm regnetx 400mf pycls': lambda: timm.create_model('regnetx_004'),
    'timm regnetx 8.0gf pycls': lambda: timm.create_model('regnetx_080'),
    'pycls regnety 200mf pycls': lambda: pycls('regnety 200mf'),
    'pycls regnety 400mf pycls': lambda: pycls('regnety 400mf'),
    'pycls regnety 800mf pycls': lambda: pycls('regnety 800mf'),
    'pycls regnetx 400mf pycls': lambda: pycls('regnetx 400mf'),
    'pycls regnetx 8.0gf pycls': lambda: pycls('regnetx 8.0gf'),
    'torchvision regnety 400mf torchvision': torchvision.models.regnet_y_400mf,
    'torchvision regnety 800mf torchvision': torchvision.models.regnet_y_800mf,
    'torchvision regnetx 400mf torchvision': torchvision.models.regnet_x_400mf,
    'torchvision regnetx 8.0gf torchvision': torchvision.models.regnet_x_8gf,
}


def main() -> None:
    found = {}
    for case, make in CASES.items():
        model = make().eval()
        shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        values = {name: torch.from_numpy(v) for name, v in seeded.tensors(shapes).items()}
        model.load_state_dict(values, strict=True)
        images = torch.from_numpy(seeded.images().transpose(0, 3, 1, 2).copy())
        if case.startswith('pycls'):  # Its networks read blue, green, red.
            images = images.flip(1)
        with torch.no_grad():
            logits = model(images).numpy()
        found[f'{case} logits'] = logits
        found[f'{case} names'] = np.array(seeded.digest(shapes))
        print(f'{case}: {len(shapes)} tensors, standard deviation {logits.std():.3f}', flush=True)
    np.savez_compressed(Path(__file__).parent / 'data' / 'regnet_references.npz', **found)


if __name__ == '__main__':
    main()
