"""HTTP: what holds for every request and reply, whatever is asked."""
