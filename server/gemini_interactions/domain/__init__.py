"""The domain: turns, artifacts, errors, models, clients. Depends on nothing else here."""
