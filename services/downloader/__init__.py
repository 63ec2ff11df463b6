"""The downloader: plans what a job needs (planner) and brings the documents from the source into S3 (fetcher)."""
