"""Documents: links to their content, the content itself, and all of a case in one archive."""
