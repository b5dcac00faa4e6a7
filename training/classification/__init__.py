"""Classification: posteriors of classes from features, and how they are pooled."""
