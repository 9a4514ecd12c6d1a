"""Files this server writes: images, long answers, signed URLs to them."""
