"""The store: schema, commits, ingest, metadata, replicas, lineage. Knows nothing of how work is planned or run."""
