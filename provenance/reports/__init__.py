"""Reports of audits and scrubs, as people and other programs read them."""
