"""The bill of materials (SBOM) of each image, in CycloneDX 1.6: what ``make images`` writes to build/sbom.

``contents`` looks into the image itself, ``bill`` says it in CycloneDX (pure), ``write`` validates and writes. Needs a
Docker engine that has the images.
"""
