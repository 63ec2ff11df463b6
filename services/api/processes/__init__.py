"""Cases: asked for, read at the source, stored, shown."""
