"""Research that goes on at Google: polling, progress, reports."""
