"""Requests: their input, their attachments, and whether the API would take them."""
