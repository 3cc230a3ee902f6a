"""Faults put into copies of a run's own files, at every point of the pipeline, to see that each is noticed."""
