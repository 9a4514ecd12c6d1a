"""Configuration: settings, the data directory, the API key, logging."""
