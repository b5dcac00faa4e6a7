"""Galleries: the kinds of index that a modality's vectors are searched by."""
