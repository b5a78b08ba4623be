"""What goes with the tables of a dataset: codebook, README and loaders, all in English.

Their bytes depend on the profile, the tables and the formats alone; only the README says of which
request and moment the dataset is.
"""
