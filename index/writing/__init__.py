"""Writing: changes made durable in groups, and bases made anew."""
