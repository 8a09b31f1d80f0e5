"""The images that a lab starts from, and what they are built in and from."""
