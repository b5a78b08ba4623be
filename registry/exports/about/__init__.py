"""What goes with the tables of a dataset: codebook, disclosure report, README and loaders.

All in English. Their bytes depend on the profile, the tables and the formats alone; only the README
says of which request and moment the dataset is, and the report how its people look alike.
"""
