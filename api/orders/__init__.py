"""Products that are made of models, and orders of them."""
