"""Front ends: decoded media of one modality to features."""
