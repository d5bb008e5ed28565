"""Fan out, fan in: the graph is made by a loop, and its middle runs at the same time."""

from gofer_sdk.pipeline import Pipeline, Task

IMAGE = "busybox:latest"
REGIONS = ("north", "east", "south", "west")

split = Task(id="split", image=IMAGE, description="Cut the work up", script=f"echo cut into {len(REGIONS)} parts")

workers = [
    Task(
        id=f"work_{region}",
        image=IMAGE,
        description=f"Do the part of the {region}",
        variables={"REGION": region},
        script="""
            echo "$REGION: started"
            sleep 1
            echo "$REGION: done"
        """,
        depends_on=[split],
    )
    for region in REGIONS
]

join = Task(id="join", image=IMAGE, description="Put the parts together", script="echo all done", depends_on=workers)

pipeline = Pipeline(
    id="parallel",
    name="Parallel",
    description="Fan out, fan in; two runs at most at a time",
    parallelism=2,
    tasks=[split, *workers, join],
)
