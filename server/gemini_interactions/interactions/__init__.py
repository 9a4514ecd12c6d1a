"""Pure functions over the JSON of the Interactions API; no SDK."""
