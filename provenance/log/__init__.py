"""The tamper-evident log of a store: an RFC 6962 tree over its commits, of which commit N is leaf N."""
