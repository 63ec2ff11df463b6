"""How the sources stand and did by hour."""
