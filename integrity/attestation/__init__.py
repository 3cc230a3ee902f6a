"""Statements about what was made from what, signed: in-toto Statements with SLSA provenance in DSSE envelopes."""
