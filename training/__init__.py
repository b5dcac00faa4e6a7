"""Builds encoders: data sets, methods, selection, evaluation and export."""
