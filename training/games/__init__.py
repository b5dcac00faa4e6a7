"""Games: networks trained in turns against one another."""
