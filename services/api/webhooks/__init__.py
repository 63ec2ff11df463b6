"""Webhooks of a client: its secret, the URLs that it may give, the public keys."""
