"""A store in a bucket: objects, locks made of objects, and the local copies that are read."""
