"""The ``autos`` command: the client of a running Autos, its operator's tools, and the embedded stack (autos.local)."""

__version__ = "0.2.0"
