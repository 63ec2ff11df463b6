"""Dead letters for administrators: listed over all places in which they lie, and sent again, each once."""
