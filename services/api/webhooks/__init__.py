"""Webhooks of a client: its secret, its endpoints, a test event."""
