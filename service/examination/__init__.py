"""Examination: an installation and a data directory looked at before trouble is."""
