"""The page for people at ``/``: its files, what the browser is told of them, and its policy of content."""
