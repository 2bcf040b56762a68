"""What setup.cfg cannot say: `experiments/` ships in the wheel as garden/experiments."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=['garden', 'garden.*']), 'garden.experiments'],
    package_dir={'garden.experiments': 'experiments'},
    package_data={'garden.experiments': ['**/*.gin']},
)
