"""Versions: another model's vectors beside those served, and the passage to them."""
