"""What differs between the sides for this lab's experiments alone."""
