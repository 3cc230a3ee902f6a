"""Pegasus catalogs: replicas, transformations, sites and properties."""
