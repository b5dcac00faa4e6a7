"""The load benchmark: the service under requests, beside peers, overloaded, for long."""
