"""What a store can show to others, or to its owner later: checkpoints, proofs, attestations."""
