"""The smallest pipeline: one task that says hello."""

from gofer_sdk.pipeline import Pipeline, Task

greet = Task(
    id="greet",
    image="busybox:latest",
    description="Say hello",
    script="""
        echo "Hello from Gofer!"
        echo "I am run $GOFER_RUN_ID of the pipeline $GOFER_PIPELINE_ID."
    """,
)

pipeline = Pipeline(id="hello", name="Hello", description="One task that says hello", tasks=[greet])
