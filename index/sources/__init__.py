"""Sources: clips and features files turned into items that can be stored."""
