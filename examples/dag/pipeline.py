"""A graph with all three kinds of dependencies, a task that fails, and what cleans up after it.

         +- success -> check --- failure -> clean_up --- any -+
build ---+               |                                    +--> report
         |               +------ success -> publish ---- any -+
         +- success -> document
"""

from gofer_sdk.pipeline import Pipeline, Task, after

IMAGE = "busybox:latest"

build = Task(id="build", image=IMAGE, description="Make the thing", script="echo built the thing")

document = Task(
    id="document",
    image=IMAGE,
    description="Runs beside the check, because both need the build only",
    script="echo documented the thing",
    depends_on=[build],
)

check = Task(
    id="check",
    image=IMAGE,
    description="Fails, so that there is something to clean up",
    script="""
        echo "checking the thing"
        echo "it is broken" >&2
        exit 3
    """,
    depends_on=[build],
)

clean_up = Task(
    id="clean_up",
    image=IMAGE,
    description="Runs only because the check failed",
    script="echo removed the broken thing",
    depends_on=[after(check, "failure")],
)

publish = Task(
    id="publish",
    image=IMAGE,
    description="Skipped, because the check failed",
    script="echo published the thing",
    depends_on=[after(check, "success")],
)

report = Task(
    id="report",
    image=IMAGE,
    description="Runs whatever happened before",
    script="echo told everybody",
    depends_on={clean_up: "any", publish: "any"},
)

pipeline = Pipeline(
    id="dag",
    name="Graph",
    description="All kinds of dependencies; the run fails, as its check does",
    tasks=[build, document, check, clean_up, publish, report],
)
