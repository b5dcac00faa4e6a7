"""Storage: the database, its log and the media files: the truth of a collection."""
