"""Pages of docs/reference that are made from the code: settings, error codes, events, metrics, the simulator.

``python -m tools.reference`` writes them, ``--check`` compares (part of ``make check``). Each module but ``markdown``
and ``notes`` has a ``page()``, which is pure. ``notes`` has what the code does not say: what to do about each error
code.
"""
