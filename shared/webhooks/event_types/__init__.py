"""The types of events, a module each, which names its own ``EVENT_TYPE`` (shared/webhooks/event_type.py)."""
