"""A fitted field beside the true one: pictures, sounds, signed distances."""

from collections.abc import Mapping

import numpy as np

from garden.figures import canvas

Field = Mapping[str, np.ndarray]


def image(fit: Field, truth: Field) -> np.ndarray:
    """Draws a picture, its gradient and its Laplacian, the true ones above the fitted ones.

    The hue of a gradient is its direction, its brightness its length; of several channels the mean
    is drawn. Both rows have one scale.

    Args:
      fit: 'value' [h, w, c] from -1 to 1, 'gradient' [h, w, c, 2], 'laplacian' [h, w, c].
      truth: the same; a 'known' [h, w, 1] that it holds says by 1.0 which pixels were given.
    """
    columns = 4 if 'known' in truth else 3
    figure = canvas.new(2.4 * columns, 5.0)
    length, curvature = (
        max(float(np.quantile(np.abs(truth[name].mean(axis=2)), 0.99)), 1e-9)
        for name in ('gradient', 'laplacian')
    )
    for row, (title, field) in enumerate((('true', truth), ('fitted', fit))):
        panels = {
            title: _shades(field['value']),
            f'gradient, {title}': _directions(field['gradient'].mean(axis=2), length),
            f'Laplacian, {title}': field['laplacian'].mean(axis=2),
        }
        if 'known' in truth and field is truth:
            # Grey, the middle of the range, where nothing is given.
            panels['given'] = _shades(truth['value'] * truth['known'])
        for column, (name, panel) in enumerate(panels.items()):
            axes = figure.add_subplot(2, columns, 1 + row * columns + column)
            axes.imshow(panel, cmap='RdBu', vmin=-curvature, vmax=curvature)
            axes.set_axis_off()
            axes.set_title(name, fontsize=8, color=canvas.INK)
    return canvas.pixels(figure)


def sound(fit: Field, truth: Field) -> np.ndarray:
    """Draws a sound, a short piece from its middle, and the error; 'value' is [n, 1]."""
    figure = canvas.new(8.4, 5.4)
    value, true = fit['value'][:, 0], truth['value'][:, 0]
    middle = len(true) // 2
    piece = slice(max(0, middle - 300), middle + 300)
    panels = {
        'sound': {'true': (true, slice(None))},
        'a piece of it': {'true': (true, piece), 'fitted': (value, piece)},
        'error': {'fitted - true': (value - true, slice(None))},
    }
    colours = {'true': canvas.ACCENT, 'fitted': canvas.SECOND}
    for row, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(len(panels), 1, row + 1)
        for name, (curve, part) in curves.items():
            style = '--' if name == 'fitted' else '-'
            samples = np.arange(len(true))[part]
            colour = colours.get(name, canvas.INK)
            axes.plot(samples, curve[part], style, color=colour, linewidth=0.8, label=name)
        axes.set_title(title, fontsize=8, color=canvas.INK)
        axes.spines[['top', 'right']].set_visible(False)
        axes.tick_params(labelsize=7)
        if len(curves) > 1:
            axes.legend(frameon=False, fontsize=7, loc='upper right')
    axes.set_xlabel('sample', fontsize=8)
    return canvas.pixels(figure)


def distance(fit: Field, truth: Field) -> np.ndarray:
    """Draws the middle slices of a signed distance with its level sets, the true ones above.

    'value' is [n, n, n, 1]; the surface is the thick line.
    """
    figure = canvas.new(7.4, 5.2)
    values = truth['value'][..., 0]
    bound = float(np.abs(values).max())
    levels = np.linspace(-bound, bound, 21)
    for row, (title, field) in enumerate((('true', truth), ('fitted', fit))):
        for axis, name in enumerate('xyz'):
            size = values.shape[axis]
            plane = field['value'][..., 0].take(size // 2, axis=axis).T
            ticks = np.linspace(-1, 1, size)
            axes = figure.add_subplot(2, 3, 1 + 3 * row + axis)
            axes.contourf(ticks, ticks, plane, levels, cmap='RdBu', extend='both')
            if plane.min() < 0 < plane.max():
                axes.contour(ticks, ticks, plane, [0.0], colors=canvas.INK, linewidths=1.6)
            axes.set_aspect('equal')
            axes.set_axis_off()
            across = ' and '.join(other for other in 'xyz' if other != name)
            axes.set_title(f'{title}, over {across}', fontsize=8, color=canvas.INK)
    return canvas.pixels(figure)


def _shades(values: np.ndarray) -> np.ndarray:
    """Returns values [h, w, 1 or 3] from -1 to 1 as colours [h, w, 3] from 0 to 1."""
    shades = np.clip((values + 1) / 2, 0, 1)
    return np.broadcast_to(shades, (*shades.shape[:2], 3))


def _directions(gradient: np.ndarray, longest: float) -> np.ndarray:
    """Returns colours [h, w, 3] for vectors [h, w, 2]."""
    from matplotlib.colors import hsv_to_rgb

    hue = np.arctan2(gradient[..., 0], gradient[..., 1]) / (2 * np.pi) % 1
    brightness = np.clip(np.linalg.norm(gradient, axis=-1) / longest, 0, 1)
    return hsv_to_rgb(np.stack([hue, np.full_like(hue, 0.9), brightness], axis=-1))
