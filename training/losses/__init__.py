"""Losses: plain functions over unit-norm embeddings."""
