"""What a document costs (measured on a local stack) and what follows from it for a deployment (docs/scaling.md)."""
