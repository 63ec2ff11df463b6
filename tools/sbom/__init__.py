"""The bill of materials (SBOM) of each image, in CycloneDX 1.6: what ``make images`` writes to build/sbom."""
