"""CDISC's formats: ODM of a whole dataset, Dataset-JSON of its tables with Define-XML beside them.

https://www.cdisc.org/standards/data-exchange
"""
