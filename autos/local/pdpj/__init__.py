"""The PDPJ simulator: a faithful stand-in of the court source (docs/architecture.md, section 9), its own process."""
