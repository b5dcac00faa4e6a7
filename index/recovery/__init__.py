"""Recovery: what can still be read of a damaged database, in a database of its own."""
