"""Commands that ask the store, one module each; loaded lazily by the root group."""
