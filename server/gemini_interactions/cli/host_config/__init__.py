"""Hosts' own configuration files: what `install` reads, changes and keeps."""
