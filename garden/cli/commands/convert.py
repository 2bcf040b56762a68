"""`garden convert`: weights of another project become a checkpoint to start from."""

import ast
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from garden.cli.arguments import Parser, of_command
from garden.core import registry
from garden.core.errors import UserError, did_you_mean

_SOLE = 'model'  # What a task calls its network if it has one.


def main(argv: Sequence[str]) -> int:
    """Runs the command line and returns the exit status."""
    args = _parser().parse_args(argv)
    name, given, named = _call(args.model)
    import tf_keras as keras

    from garden.convert import layout, weight_file

    make = _registered('models', name)
    layouts = _registered('converters', name)()
    bound = _bound(make, args.model, given, named)
    tensors = weight_file.read(args.weights, args.entry)
    keras.utils.set_random_seed(0)  # For what is left out.
    model = make(*bound.args, **bound.kwargs)
    try:
        filled = layout.fill(model, layouts, tensors, args.layout, args.leave_out)
    except UserError as error:
        raise UserError(f'{args.weights}: {error}') from error
    layout.write(model, args.checkpoint, args.attribute)
    print(
        f'{args.weights}: {len(filled.used)} of {len(tensors)} tensors, named as in '
        f'{filled.layout}, are all {len(filled.used)} variables of {args.model}'
        + (f' but {", ".join(filled.kept)}' if filled.kept else '')
        + f'.\nIt is written: start from it with {_use(args.attribute, args.checkpoint)}.'
    )
    return 0


def _use(attribute: str, checkpoint: str) -> str:
    if attribute == _SOLE:
        return f'--init_checkpoint={checkpoint}'
    return f"garden.phase.warm_start = [('{attribute}', '{checkpoint}')]"


def _parser() -> Parser:
    parser = of_command(
        'convert',
        'Makes a checkpoint for --init_checkpoint out of a file of weights: .safetensors, or a '
        '.pth of torch.save, whose pickle is read without running it.',
    )
    parser.add_argument('weights', metavar='WEIGHTS', help='the file of weights')
    parser.add_argument('checkpoint', metavar='CHECKPOINT', help='the path to write to')
    parser.add_argument(
        '--model',
        required=True,
        help='the registered model that they are for, with its arguments if need be: regnety, or '
        '"regnety(\'800mf\', num_classes=10)"',
    )
    parser.add_argument(
        '--layout', metavar='NAME', help='whose names the file has; found out if not given'
    )
    parser.add_argument(
        '--entry', metavar='KEY', help='the weights to take from a file that holds several'
    )
    parser.add_argument(
        '--leave_out',
        action='append',
        default=[],
        metavar='LAYER',
        help='a layer that keeps its initial values, e.g. head.fc; repeatable',
    )
    parser.add_argument(
        '--attribute',
        default=_SOLE,
        metavar='NAME',
        help='the attribute of the task that the model is, where it has several, e.g. a_to_b',
    )
    return parser


def _call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Returns name and arguments of NAME or NAME(literal, other=literal)."""
    try:
        node = ast.parse(text, mode='eval').body
        if isinstance(node, ast.Name):
            return node.id, [], {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            named = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
            return node.func.id, [ast.literal_eval(value) for value in node.args], named
    except (SyntaxError, ValueError):
        pass
    raise UserError(
        f'--model={text} is no model: write its name, or a call with literals, as in '
        '--model="regnety(\'800mf\', num_classes=10)".'
    )


def _registered(kind: str, name: str) -> Callable[..., Any]:
    try:
        return registry.get(kind, name)
    except LookupError as error:
        known = registry.names(kind)
        raise UserError(
            f'--model={name}: there is no {kind}.{name}.{did_you_mean(name, known)} '
            f'Known {kind}: {", ".join(known)}.'
        ) from error


def _bound(make: Callable[..., Any], model: str, given: list[Any], named: dict[str, Any]) -> Any:
    signature = inspect.signature(make)
    unknown = [name for name in named if name not in signature.parameters]
    if unknown:
        raise UserError(
            f'--model={model}: there is no {unknown[0]}.'
            f'{did_you_mean(unknown[0], signature.parameters)} '
            f'Settings: {", ".join(signature.parameters)}.'
        )
    try:
        return signature.bind(*given, **named)
    except TypeError as error:
        raise UserError(f'--model={model}: {error}.') from error
