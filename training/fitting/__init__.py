"""Fitting: towers trained by steps, kept at the epoch that validation prefers."""
