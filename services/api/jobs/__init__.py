"""Jobs: the download of a case or of one document. What a job is, its SQL, who takes part in it, how it is aborted.

``model`` is pure. ``repository`` has the statements of ``catalog.jobs``; whoever creates or cancels a job holds its
case (``shared.db.case_store.lock_case``). The routes that show and cancel jobs are in processes/, since a job is shown
with its case.
"""
