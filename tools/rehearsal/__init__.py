"""Situations to practise on: set up on the embedded stack, so that a person finds out what is wrong."""
