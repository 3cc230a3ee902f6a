"""Invocation records on their way into the store: read, checked, and made into rows."""
