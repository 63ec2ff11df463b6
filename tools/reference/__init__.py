"""Pages of docs/reference that are made from the code: settings, error codes, events."""
