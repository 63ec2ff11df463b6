"""How the system does, for operators: what waits where, what was given up."""
