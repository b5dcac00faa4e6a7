"""Jobs: long work that is asked for, goes on in the background, and outlives a restart."""
