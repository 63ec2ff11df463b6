"""The object store: keys, links, the data path."""
