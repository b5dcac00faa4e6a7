"""Correlation: closed forms from the moments of features and of their kernels."""
