"""Serves a collection over HTTP."""
