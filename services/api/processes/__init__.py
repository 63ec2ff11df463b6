"""Cases: asked for, read at the source, stored, followed, shown.

Three rooms, each above the next (import-linter checks it): ``request`` decides what a request leads to and carries it
out, ``follow`` waits for changes, ``view`` reads what a client may see and shows it. ``routes`` is the way in.
"""
