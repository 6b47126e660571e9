"""Content-addressed blobs and the names under which printers know them."""
