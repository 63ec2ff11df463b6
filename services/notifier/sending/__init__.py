"""A delivery from its claim to its recorded attempt."""
