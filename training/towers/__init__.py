"""Towers: modules from one modality's features to unit-norm embeddings."""
