"""The edge to Kafka, in and out, in processes of their own.

PostgreSQL is the only authority; Kafka carries news and requests. It does not see `api`.
"""
