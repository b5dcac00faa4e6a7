"""What every package shares, from modalities and media to bundles and metrics."""
