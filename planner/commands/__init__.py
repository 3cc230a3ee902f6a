"""Commands that plan and run, one module each; loaded lazily by the root group."""
