"""Changes of a git repository, read without running anything of it."""
