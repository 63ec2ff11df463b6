"""The consumer runtime: one poll thread, handlers on the event loop, nothing lost."""
