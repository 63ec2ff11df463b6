"""The version that the services say when they start: that of autos/__init__.py, which their images do not have."""

__version__ = "0.2.0"
