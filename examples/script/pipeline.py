"""A task that is a small program, with settings in its environment."""

from gofer_sdk.pipeline import Pipeline, Task

count = Task(
    id="count",
    image="busybox:latest",
    description="Count to LIMIT, unless told otherwise for one run",
    variables={"LIMIT": "5", "GREETING": "counting for you"},
    script="""
        set -eu

        echo "$GREETING"
        number=1
        while [ "$number" -le "$LIMIT" ]; do
            echo "number $number"
            number=$((number + 1))
        done
    """,
)

pipeline = Pipeline(id="script", name="Script", description="A script with settings", tasks=[count])
