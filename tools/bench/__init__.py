"""Benchmarks of the running product, each against a baseline of the same run: ``python -m bench --list``."""
