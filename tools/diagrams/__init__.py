"""The drawings of docs/images/*.svg, made from a few lines of Python each, so that they can be changed and compared.

``python -m tools.diagrams`` writes them, ``--check`` compares; the same text comes out everywhere.
"""
