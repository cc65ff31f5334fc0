"""What browsers play: files as they are, remuxed, or converted."""
