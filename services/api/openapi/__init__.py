"""The OpenAPI document: what the framework gathers, and what makes good clients of it."""
