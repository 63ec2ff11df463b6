"""What api and notifier share about webhooks: the address guard, signatures, the body, the dialled request."""
