"""Copies of files: where they are, what was seen of them, and what became known of their content."""
