"""Routes: one module per resource; each gives a router."""
