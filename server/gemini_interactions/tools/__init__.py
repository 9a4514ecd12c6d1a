"""The tools models call: one function each, grouped by noun."""
