"""Benchmarks of the running product, each against a baseline of the same run: ``python -m tools.bench --list``.

Begin at ``registry`` (what a benchmark is, and the list) and one benchmark, such as ``backlog``. ``product`` starts a
stack in a directory of its own, ``delivery`` runs cases through it, ``sink`` receives webhooks, ``figures`` and
``report`` are pure. Results and what is hoped for are in docs/performance.md.

The invariant: a figure is never shown alone. What it is compared with was measured in the same run, on the same
machine; a run in which anything failed gives no figure.
"""
