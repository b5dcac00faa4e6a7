"""Searching: from what a client asks with to ranked hits and figures."""
