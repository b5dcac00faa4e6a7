"""Comparison: many methods, seeds and folds on one data set, as one table."""
