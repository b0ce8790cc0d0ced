"""Submits a job through the client that openapi-generator has made, lists the jobs, and prints what it read."""

import json
import sys

import pydantic_client as made

url, key = sys.argv[1:]
spec = made.SupervisedSpec.from_dict(
    {"method": {"kind": "ewc", "ewc_lambda": 100.0}, "tasks": [{"dataset": "digits", "permutation": 3}]}
)
with made.ApiClient(made.Configuration(host=url, access_token=key)) as client:
    api = made.JobsApi(client)
    job = api.create_job(made.Spec(spec))
    jobs = api.list_jobs().data
task = job.spec.actual_instance.tasks[0].actual_instance
print(json.dumps({"id": job.id, "permutation": task.permutation, "listed": [one.id for one in jobs]}))
