"""A request for a case: decided, read at the source, stored, started."""
