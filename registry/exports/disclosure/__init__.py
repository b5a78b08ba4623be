"""Disclosure control: how well the people of a dataset hide among each other, before it leaves.

``declared`` says what somebody may know of a person and what it would tell him; ``counting`` makes
the classes of people who look alike, ``differencing`` what releases tell together, and ``report``
says it in words.
"""
