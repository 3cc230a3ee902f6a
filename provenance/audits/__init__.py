"""Files read again: what is there beside what is known."""
