"""Digests, the job wrapper, verification and audit. Knows nothing of databases, workflows or the query language."""
