"""The embedded stack's own control server, and the tab of the page that it brings: "Try to break it"."""
