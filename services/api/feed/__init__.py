"""The feed: a client's events in order, to be pulled."""
