"""Checks files against the signed manifest of a case, without a network and without the rest of Autos.

What signs is :mod:`shared.webhooks.manifest_signatures`; nothing of it is used here, so that each proves the other.
"""
