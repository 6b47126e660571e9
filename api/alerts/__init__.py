"""What people should know, one row for each of them."""
