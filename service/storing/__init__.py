"""Storing: from what a client sends to items stored, replaced and deleted."""
