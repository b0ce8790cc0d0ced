"""The record of jobs: tables, repositories, leases, blobs and the queue's name. Never imports torch."""
