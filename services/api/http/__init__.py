"""HTTP of the API beneath its routes: connections, bounds, problems, headers.

From the outside in: ``connection`` counts bytes and time before anything is parsed, ``middleware`` surrounds every
request, ``error_handlers`` turns errors into the ``problems``, ``parameters`` reads addresses, ``provided`` hands a
route the application's parts. ``bounds`` has every bound (docs/reference/limits.md).
"""
