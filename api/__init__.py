"""The HTTP service: FastAPI over `store`. It never loads torch.

Start reading at `api.app`.
"""
