"""What the product is compared with: the same job as a Celery, Redis and PostgreSQL application, done plainly and well.

``web`` takes requests, ``tasks`` does the work, ``rows`` has the SQL, ``case`` and ``signing`` are pure, ``settings``
and ``clients`` say with what. It runs in an environment of its own and imports nothing of the product.

What it promises: a task that was begun is given to another worker when its worker dies (acknowledged late), each step
may be repeated, Redis keeps its log. What it leaves out against the product: order and fairness between cases,
resumption of a fetch, cancelling, versions of a case, views, metrics, what happens when Redis is lost.
"""
