"""Pages and pictures of finished runs, made from their folders."""
