"""The front of an edge site's inference server: it answers pictures, and keeps them until home has them."""
