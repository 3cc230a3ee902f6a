"""Erasure: what must not be kept goes, and a commit says that it went."""
