"""Methods: one module each, listed in the catalog."""
