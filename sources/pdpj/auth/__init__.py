"""Access tokens of PDPJ: fetched, renewed one process at a time, kept."""
