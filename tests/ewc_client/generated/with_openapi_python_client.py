"""Submits a job through the client that openapi-python-client has made, lists the jobs, and prints what it read."""

import json
import sys

from attrs_client import AuthenticatedClient
from attrs_client.api.jobs import create_job, list_jobs
from attrs_client.models import DatasetName, EwcMethod, PermutedTask, SupervisedSpec

url, key = sys.argv[1:]
spec = SupervisedSpec(
    method=EwcMethod(kind="ewc", ewc_lambda=100.0), tasks=[PermutedTask(dataset=DatasetName.DIGITS, permutation=3)]
)
with AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True) as client:
    job = create_job.sync(client=client, body=spec)
    jobs = list_jobs.sync(client=client).data
print(json.dumps({"id": job.id, "permutation": job.spec.tasks[0].permutation, "listed": [one.id for one in jobs]}))
