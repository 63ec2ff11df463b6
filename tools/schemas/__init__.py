"""Writes docs/events from the event models: JSON Schemas, examples and the AsyncAPI document.

``write`` is the program (``python -m tools.schemas [--check]``), ``samples`` the example values, ``asyncapi`` the
document of all topics, ``growth`` the rule that public events only grow.
"""
