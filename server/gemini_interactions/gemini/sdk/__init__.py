"""google-genai itself: importing it, remembering what it builds, and going past its models."""
