//! A pipeline in Rust: it is printed as a message, which `gofer up` registers.

// What is generated has more than a pipeline needs.
#[allow(dead_code)]
mod wire;

use std::collections::BTreeMap;
use std::io::Write;

use prost::Message;
use wire::user_pipeline_task_config::RequiredParentStatus;
use wire::{UserPipelineConfig, UserPipelineTaskConfig};

fn main() -> std::io::Result<()> {
    let greet = UserPipelineTaskConfig {
        id: "greet".into(),
        image: "busybox:latest".into(),
        entrypoint: vec!["sh".into(), "-c".into()],
        command: vec!["echo hello from $LANGUAGE".into()],
        variables: BTreeMap::from([("LANGUAGE".into(), "Rust".into())]),
        ..Default::default()
    };
    let part = UserPipelineTaskConfig {
        id: "part".into(),
        image: "busybox:latest".into(),
        entrypoint: vec!["echo".into(), "goodbye".into()],
        depends_on: BTreeMap::from([("greet".into(), RequiredParentStatus::Success as i32)]),
        ..Default::default()
    };
    let pipeline = UserPipelineConfig {
        id: "hello_rust".into(),
        name: "Hello from Rust".into(),
        description: "Two tasks, written in Rust".into(),
        tasks: vec![greet, part],
        ..Default::default()
    };
    // What is printed as an error is shown while the program runs; the standard output is for the message alone.
    eprintln!("{} has {} tasks", pipeline.id, pipeline.tasks.len());
    std::io::stdout().write_all(&pipeline.encode_to_vec())
}
