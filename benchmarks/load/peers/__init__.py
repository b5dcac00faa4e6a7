"""Peers: other engines over the same vectors, each in an environment of its own.

The ``serve_*`` scripts run there, without this project in reach.
"""
