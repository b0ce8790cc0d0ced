"""Workers: a Celery process that receives wake-ups, and a trainer process per running job.

`python -m worker` sweeps and keeps one Celery worker alive; a wake-up makes a pool process claim the job's lease and
supervise `python -m worker.trainer`. Only the trainer imports torch.
"""
