"""Launches an experiment: `python launch.py --experiment=NAME`; `--list` and `--help` say more."""

import sys

from garden.cli.launch import script

if __name__ == '__main__':
    sys.exit(script())
