"""Makes a release: checks that all says the same version, builds the wheel and the rest, tries them in an empty place.

``make release VERSION=x.y.z`` runs it (docs/how-to/release.md). ``hatch_hooks.py`` is read by the builder alone.
"""
