"""Data sets: what people bring, read into one features file."""
