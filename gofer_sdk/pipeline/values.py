"""Values for a task's variables that stand for something which Gofer keeps.

Each helper returns the text of a reference. Gofer puts what it stands for in its place when the task starts, and
shows the reference everywhere else. A reference is the whole value: nothing can be added before or after it.
"""

from gofer_sdk.rules.references import ReferenceKind, render_reference


def secret(key: str) -> str:
    """Refer to a secret of this pipeline.

    In a task: `variables={"TOKEN": secret("token")}`.

    Raises:
        ValueError: the key is empty or has white space around it; so for the other helpers.

    """
    return render_reference(ReferenceKind.PIPELINE_SECRET, key)


def global_secret(key: str) -> str:
    """Refer to a secret that the server's administrators keep for several namespaces."""
    return render_reference(ReferenceKind.GLOBAL_SECRET, key)


def pipeline_object(key: str) -> str:
    """Refer to an object that is kept for all runs of this pipeline."""
    return render_reference(ReferenceKind.PIPELINE_OBJECT, key)


def run_object(key: str) -> str:
    """Refer to an object that an earlier task of the same run has put."""
    return render_reference(ReferenceKind.RUN_OBJECT, key)
