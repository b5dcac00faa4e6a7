"""Keeps a collection: the SQLite store and the FAISS view over it."""
