"""Spools of filament: what there is, what is loaded where, what has been used."""
