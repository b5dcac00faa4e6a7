"""What every package shares: modalities, items, media, front ends, bundles, relevance and metrics."""
