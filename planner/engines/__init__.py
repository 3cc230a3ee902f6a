"""Engines: each runs a plan folder and leaves invocation records."""
