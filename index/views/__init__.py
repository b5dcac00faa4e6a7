"""Views: what a search sees, made of galleries and of what was written since."""
