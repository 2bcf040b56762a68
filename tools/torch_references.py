"""Makes the reference numbers of tests/: optimizers, schedules, averages and losses by PyTorch.

Run it from the root of the repository in an environment of its own, which Garden does not share:

    pip install torch==2.13.0 timm==1.0.31 numpy
    python tools/torch_references.py
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import timm.loss
import timm.optim
import timm.scheduler
import torch

STEPS = 60
EPOCH = 5  # Steps of an epoch, in which the rate of an epoch-wise schedule stays the same.
EPOCHS = STEPS // EPOCH


def gradients() -> Iterable[dict[str, np.ndarray]]:
    """Yields the gradients of each step; tests draw the same ones."""
    rng = np.random.default_rng(0)
    for _ in range(STEPS):
        yield {'kernel': rng.normal(size=(3, 2)), 'bias': rng.normal(size=2)}


def start() -> dict[str, np.ndarray]:
    """Returns the weights at the start."""
    rng = np.random.default_rng(1)
    return {'kernel': rng.normal(size=(3, 2)), 'bias': rng.normal(size=2)}


def trajectory(
    make: Callable[[list], torch.optim.Optimizer], rates: list[float], decay: float
) -> list[dict[str, list]]:
    """Returns the weights after every tenth step; decay spares the bias."""
    weights = {name: torch.nn.Parameter(torch.tensor(w)) for name, w in start().items()}
    groups = [
        {'params': [weights['kernel']], 'weight_decay': decay},
        {'params': [weights['bias']], 'weight_decay': 0.0},
    ]
    optimizer = make(groups)
    kept = []
    for step, gradient in enumerate(gradients()):
        for group in optimizer.param_groups:
            group['lr'] = rates[step]
        for name, weight in weights.items():
            weight.grad = torch.tensor(gradient[name])
        optimizer.step()
        if step % 10 == 9:
            kept.append({name: w.detach().numpy().tolist() for name, w in weights.items()})
    return kept


def rates_of(schedule: Callable[[torch.optim.Optimizer], Any], epochwise: bool) -> list[float]:
    """Returns the rate of each step of a schedule of torch, over base 0.5."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = schedule(optimizer)
    rates = []
    for step in range(STEPS):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        if not epochwise:
            scheduler.step()
        elif step % EPOCH == EPOCH - 1:
            scheduler.step(*([step // EPOCH + 1] if epochwise == 'timm' else []))
    return rates


def torchvision_cosine(optimizer: torch.optim.Optimizer) -> Any:
    """The schedule of torchvision's training script: 3 of 12 epochs of warm-up from a hundredth."""
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=3)
    wave = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS - 3, eta_min=0.0)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, wave], milestones=[3])


def timm_cosine(optimizer: torch.optim.Optimizer) -> Any:
    """The schedule of timm's script: 3 of 12 epochs of warm-up from 0.001, down to 0.0005."""
    return timm.scheduler.CosineLRScheduler(
        optimizer, t_initial=EPOCHS, lr_min=5e-4, warmup_t=3, warmup_lr_init=1e-3
    )


def schedules() -> dict[str, list[float]]:
    """Returns the rates of each schedule."""
    library = torch.optim.lr_scheduler
    return {
        'torchvision_cosine': rates_of(torchvision_cosine, True),
        'timm_cosine': rates_of(timm_cosine, 'timm'),
        'cosine': rates_of(lambda o: library.CosineAnnealingLR(o, T_max=STEPS), False),
        'piecewise': rates_of(lambda o: library.MultiStepLR(o, [20, 40], gamma=0.1), False),
        'linear': rates_of(
            lambda o: library.LinearLR(o, 1.0, end_factor=0.1, total_iters=STEPS), False
        ),
    }


def optimizers(rates: dict[str, list[float]]) -> dict[str, list]:
    """Returns the trajectory of each optimizer under each of some schedules."""
    found = {}
    for schedule in ('torchvision_cosine', 'piecewise'):
        for nesterov in (False, True):
            found[f'sgd nesterov={nesterov} {schedule}'] = trajectory(
                lambda groups, n=nesterov: torch.optim.SGD(groups, lr=1, momentum=0.9, nesterov=n),
                rates[schedule],
                1e-2,
            )
        found[f'adamw {schedule}'] = trajectory(
            lambda groups: torch.optim.AdamW(groups, lr=1), rates[schedule], 1e-2
        )
        found[f'lamb {schedule}'] = trajectory(
            lambda groups: timm.optim.Lamb(groups, lr=1), rates[schedule], 2e-2
        )
    return found


def average() -> list[list[float]]:
    """Returns the average that torchvision's script keeps: every 4 steps, copies up to step 12."""
    model = torch.nn.Linear(3, 1, bias=False).double()
    alpha = 0.3
    shadow = torch.optim.swa_utils.AveragedModel(
        model, avg_fn=lambda kept, new, count: (1 - alpha) * kept + alpha * new, use_buffers=True
    )
    rng = np.random.default_rng(0)
    kept = []
    for step in range(1, 41):
        model.weight.data = torch.tensor(rng.normal(size=(1, 3)))
        if step % 4 == 0:
            if step <= 12:
                shadow.n_averaged.fill_(0)
            shadow.update_parameters(model)
            kept.append(shadow.module.weight.detach().numpy()[0].tolist())
    return kept


def losses() -> dict[str, list[float]]:
    """Returns losses of the logits and labels that the tests draw too."""
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(4, 5)) * 3)
    labels = torch.tensor([0, 3, 4, 4])
    mixed = torch.tensor(rng.dirichlet(np.ones(5) / 2, size=4))
    smooth = torch.nn.CrossEntropyLoss(label_smoothing=0.1, reduction='none')
    found = {'cross_entropy': smooth(logits, labels), 'cross_entropy mixed': smooth(logits, mixed)}
    for smoothing, threshold in ((0.0, None), (0.1, None), (0.0, 0.2)):
        binary = timm.loss.BinaryCrossEntropy(smoothing, threshold, reduction='none')
        found[f'binary {smoothing} {threshold}'] = binary(logits, labels).mean(1)
        if not smoothing:
            found[f'binary {smoothing} {threshold} mixed'] = binary(logits, mixed).mean(1)
    return {name: loss.tolist() for name, loss in found.items()}


def main() -> None:
    """Writes the files."""
    rates = schedules()
    files = {
        'optimizers/data/schedules.json': rates,
        'optimizers/data/trajectories.json': optimizers(rates),
        'core/data/average.json': average(),
        'losses/data/classification.json': losses(),
    }
    for name, content in files.items():
        Path('tests', name).write_text(json.dumps(content, indent=None) + '\n')


if __name__ == '__main__':
    main()
