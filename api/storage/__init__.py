"""Where file bytes lie: a folder or an object store, behind one Protocol."""
