"""A tamper-evident log: tiles of a Merkle tree, proofs, signed notes and checkpoints, and the keys to sign with."""
