"""The file, its log, its locks, and the folder beside it: how bytes come to rest."""
