"""What clients see of a case: read in one snapshot, shown as the schemas of ``schemas``.

``case_parts`` and ``pages`` read, ``views`` and ``webhook`` show, ``link_cache`` makes links, ``version`` and ``tags``
say when an answer is another one.
"""
