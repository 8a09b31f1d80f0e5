"""What only this lab's experiments need of a side."""
