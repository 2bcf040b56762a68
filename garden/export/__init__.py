"""From a run folder to something that is used without Garden: `export_run`."""

from garden.export.run import Exported, export_run

__all__ = ['Exported', 'export_run']
