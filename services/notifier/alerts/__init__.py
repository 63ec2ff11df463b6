"""Alerts about endpoints and outboxes, sent to people."""
