"""Sweeps: many runs of one experiment with other settings, in search of the best ones."""
