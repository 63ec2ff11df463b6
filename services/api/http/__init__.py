"""HTTP of the API beneath its routes: connections, bounds, problems, headers."""
