"""What all workers share of the source: places, pauses, and what they saw of it."""
