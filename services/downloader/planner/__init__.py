"""The planner: reads a case at its source and requests its documents, a window at a time."""
