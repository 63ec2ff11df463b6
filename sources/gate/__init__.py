"""The gate before a source: who may ask it now, and whether a failure is an outage or a bad case."""
