"""The sandbox: which files may be read or written, and how they are opened."""
