"""Writes docs/events from the event models: JSON Schemas, examples and the AsyncAPI document."""
