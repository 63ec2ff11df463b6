"""PostgreSQL: the tables of every schema, the migrations with roles and grants, transactions, the outbox."""
