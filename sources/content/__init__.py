"""What the bytes of a document are, whatever their source says."""
