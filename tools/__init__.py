"""Programs for those who work on Autos: generators of docs, sizing, benchmarks. No service imports them.

``schemas``, ``reference`` and ``postman`` write what ``make schemas`` commits; ``kubernetes`` checks the manifests,
``sbom`` writes bills of materials, ``sizing`` and ``bench`` measure a running stack.
"""
