"""The classes of the demo corpus, one module each."""
