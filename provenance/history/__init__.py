"""What was committed, as documents: commits, what they say of segments, and what is live as of each."""
