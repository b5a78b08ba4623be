"""A site's own data as one zip: identified, with their history and files, readable without us."""
