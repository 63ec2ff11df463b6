"""The courts' platforms that cases come from, one package a source, behind one interface."""
