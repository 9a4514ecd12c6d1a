"""Artifacts: researches, images, audio, videos and files, and the services that make media."""
