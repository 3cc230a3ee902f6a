"""Is a store what its commits say? `provenance.check.whole.check_store` is all of it in order."""
