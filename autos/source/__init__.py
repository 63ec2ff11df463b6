"""``autos doctor --source``: whether the configured source can be reached, step by step, and what stands in the way."""
