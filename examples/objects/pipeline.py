"""A task that gets what was kept for the runs of its pipeline."""

from gofer_sdk.pipeline import Pipeline, Task, pipeline_object

greet = Task(
    id="greet",
    image="busybox:latest",
    description="Greet as the object says",
    variables={"GREETING": pipeline_object("greeting"), "NAME": "world"},
    script="""
        echo "$GREETING, $NAME!"
        echo "The greeting has ${#GREETING} characters."
    """,
)

pipeline = Pipeline(id="objects", name="Objects", description="What runs find", tasks=[greet])
