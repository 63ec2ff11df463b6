"""What clients see of a case."""
