"""What a document costs (measured on a local stack) and what follows from it for a deployment (docs/scaling.md).

``footprint`` measures and prints what measured.json holds; ``plan`` is pure arithmetic on that, and prints the table.
"""
