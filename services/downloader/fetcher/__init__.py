"""The fetcher: brings one document from the source into the object store."""
