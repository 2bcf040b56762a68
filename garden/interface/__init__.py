"""Garden from Python: load an experiment or a run, launch one; see docs/python.md."""
