"""Rows in files: batches on their way in, Parquet segments, what damages them, and how they are read."""
