"""Rules of the whole farm: who may come in, who may what, when it is quiet."""
