"""Lists the modules over 300 lines and the functions over 40: places to look at, not mistakes."""

import ast
from pathlib import Path

MODULE_LINES = 300
FUNCTION_LINES = 40
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Prints one line for each."""
    for path in sorted((ROOT / 'garden').rglob('*.py')):
        text = path.read_text()
        name = path.relative_to(ROOT)
        lines = len(text.splitlines())
        if lines > MODULE_LINES:
            print(f'{name}: {lines} lines')
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    print(f'{name}:{node.lineno}: {node.name} has {lines} lines')


if __name__ == '__main__':
    main()
