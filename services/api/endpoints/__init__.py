"""Endpoints of webhooks: registered ones, those that a request's URL made, and how each does; test events."""
