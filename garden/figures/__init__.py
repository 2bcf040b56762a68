"""Pictures of numbers: each function returns a uint8 image [height, width, 3]."""
