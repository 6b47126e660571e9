"""Numbers, search and exports over all rooms."""
