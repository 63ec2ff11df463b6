"""Deliveries of webhooks: listed, shown with every attempt, sent again."""
