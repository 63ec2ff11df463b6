"""PDPJ's JSON turned into the case that Autos knows."""
