"""What tells how good drawn pictures are: likeness to photographs, variety, copying, faces."""
