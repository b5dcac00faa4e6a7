"""The demo corpus: short clips whose picture and sound follow from the same events."""
