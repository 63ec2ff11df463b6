"""The PDPJ simulator: a faithful stand-in of the court source (docs/reference/pdpj.md), its own process."""
