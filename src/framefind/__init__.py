"""framefind: find the moment in your videos by what is in them."""
