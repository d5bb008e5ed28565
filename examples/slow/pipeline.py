"""A task that takes its time, in a pipeline that takes one run at a time."""

from gofer_sdk.pipeline import Pipeline, Task

work = Task(
    id="work",
    image="busybox:latest",
    description="Take SECONDS seconds",
    variables={"SECONDS": "60"},
    script="""
        echo "working for $SECONDS seconds"
        sleep "$SECONDS"
        echo "done"
    """,
)

pipeline = Pipeline(
    id="slow",
    name="Slow",
    description="Long enough to look at it, to cancel it, and to have others wait for it",
    parallelism=1,
    tasks=[work],
)
