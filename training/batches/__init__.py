"""Batches: which rows go together into a step of training."""
