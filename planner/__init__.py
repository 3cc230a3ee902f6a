"""Workflow files, catalogs, selection, reuse, engines and the command line. Knows nothing of how tables are stored."""
