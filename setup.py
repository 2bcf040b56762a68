"""What setup.cfg cannot say: the wheel holds experiments/, weights and templates."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=['garden', 'garden.*']), 'garden.experiments'],
    package_dir={'garden.experiments': 'experiments'},
    package_data={
        'garden.evaluators': ['*.safetensors'],
        'garden.experiments': ['**/*.gin'],
        'garden.report': ['*.html', '*.css'],
    },
)
