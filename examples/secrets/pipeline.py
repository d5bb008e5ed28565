"""A task that gets a password, and whose log does not show it."""

from gofer_sdk.pipeline import Pipeline, Task, global_secret, secret

login = Task(
    id="login",
    image="busybox:latest",
    description="Say what it would log in with, which the log hides",
    variables={
        "PASSWORD": secret("password"),
        "COMPANY_KEY": global_secret("company_key"),
        "USER_NAME": "gofer",
    },
    script="""
        echo "logging in as $USER_NAME with $PASSWORD"
        echo "the password has ${#PASSWORD} characters, and $COMPANY_KEY is for everybody"
    """,
)

pipeline = Pipeline(id="secrets", name="Secrets", description="What only a task may see", tasks=[login])
