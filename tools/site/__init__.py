"""The documentation as a site: ``python -m tools.site`` (`make docs`) builds docs/ into build/docs with Sphinx.

Why Sphinx: docs/adr/0046. Nothing here touches the network.
"""
