"""HTTP to PDPJ: addresses, requests, bodies and their failures."""
