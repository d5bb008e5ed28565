/// One environment variable of a task, with its origin. Keys keep their case and are compared
/// exactly.
#[allow(clippy::derive_partial_eq_without_eq)]
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Variable {
    #[prost(string, tag="1")]
    pub key: ::prost::alloc::string::String,
    /// As it was written: a reference such as `secret{{key}}` stays a reference here, never its
    /// plaintext.
    #[prost(string, tag="2")]
    pub value: ::prost::alloc::string::String,
    /// Who gave it: PIPELINE_CONFIG, SYSTEM, RUN_OPTIONS or EXTENSION.
    #[prost(string, tag="3")]
    pub source: ::prost::alloc::string::String,
}
/// Who or what started a run.
#[allow(clippy::derive_partial_eq_without_eq)]
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct Initiator {
    #[prost(enumeration="initiator::Type", tag="1")]
    pub r#type: i32,
    /// A person, a program, or the label of the subscription that fired. Never empty in a reply.
    #[prost(string, tag="2")]
    pub name: ::prost::alloc::string::String,
    /// In words, for people.
    #[prost(string, tag="3")]
    pub reason: ::prost::alloc::string::String,
}
/// Nested message and enum types in `Initiator`.
pub mod initiator {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
    #[repr(i32)]
    pub enum Type {
        Unknown = 0,
        Bot = 1,
        Human = 2,
        Extension = 3,
    }
    impl Type {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                Type::Unknown => "UNKNOWN",
                Type::Bot => "BOT",
                Type::Human => "HUMAN",
                Type::Extension => "EXTENSION",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "UNKNOWN" => Some(Self::Unknown),
                "BOT" => Some(Self::Bot),
                "HUMAN" => Some(Self::Human),
                "EXTENSION" => Some(Self::Extension),
                _ => None,
            }
        }
    }
}
/// Credentials for pulling an image from its registry.
#[allow(clippy::derive_partial_eq_without_eq)]
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct RegistryAuth {
    #[prost(string, tag="1")]
    pub user: ::prost::alloc::string::String,
    /// Masked in replies.
    #[prost(string, tag="2")]
    pub pass: ::prost::alloc::string::String,
}
/// What an author's program prints on its standard output: a pipeline as `gofer up` registers it.
#[allow(clippy::derive_partial_eq_without_eq)]
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct UserPipelineConfig {
    /// 3 to 32 letters, digits and underscores; unique within a namespace.
    #[prost(string, tag="1")]
    pub id: ::prost::alloc::string::String,
    #[prost(string, tag="2")]
    pub name: ::prost::alloc::string::String,
    #[prost(string, tag="3")]
    pub description: ::prost::alloc::string::String,
    /// At most so many runs at a time; 0 = no limit of its own.
    #[prost(int64, tag="4")]
    pub parallelism: i64,
    #[prost(message, repeated, tag="5")]
    pub tasks: ::prost::alloc::vec::Vec<UserPipelineTaskConfig>,
    /// How long a run of it may take from its admission, as a Go duration such as `8h`; empty or 0 =
    /// no limit.
    #[prost(string, tag="100")]
    pub run_timeout: ::prost::alloc::string::String,
}
/// One task as its author wrote it.
#[allow(clippy::derive_partial_eq_without_eq)]
#[derive(Clone, PartialEq, ::prost::Message)]
pub struct UserPipelineTaskConfig {
    /// 3 to 32 letters, digits and underscores; unique within the pipeline.
    #[prost(string, tag="1")]
    pub id: ::prost::alloc::string::String,
    #[prost(string, tag="2")]
    pub description: ::prost::alloc::string::String,
    #[prost(string, tag="3")]
    pub image: ::prost::alloc::string::String,
    #[prost(message, optional, tag="4")]
    pub registry_auth: ::core::option::Option<RegistryAuth>,
    /// Parent task id to the status that it must end with.
    #[prost(btree_map="string, enumeration(user_pipeline_task_config::RequiredParentStatus)", tag="5")]
    pub depends_on: ::prost::alloc::collections::BTreeMap<::prost::alloc::string::String, i32>,
    /// Environment of the container. Values may hold references: `secret{{k}}`, `global_secret{{k}}`,
    /// `pipeline_object{{k}}`, `run_object{{k}}`.
    #[prost(btree_map="string, string", tag="6")]
    pub variables: ::prost::alloc::collections::BTreeMap<::prost::alloc::string::String, ::prost::alloc::string::String>,
    #[prost(string, repeated, tag="7")]
    pub entrypoint: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    #[prost(string, repeated, tag="8")]
    pub command: ::prost::alloc::vec::Vec<::prost::alloc::string::String>,
    #[prost(bool, tag="9")]
    pub inject_api_token: bool,
    /// How long its container may run, as a Go duration such as `1h30m`; empty or 0 = as long as it
    /// likes.
    #[prost(string, tag="100")]
    pub timeout: ::prost::alloc::string::String,
}
/// Nested message and enum types in `UserPipelineTaskConfig`.
pub mod user_pipeline_task_config {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, ::prost::Enumeration)]
    #[repr(i32)]
    pub enum RequiredParentStatus {
        Unknown = 0,
        Any = 1,
        Success = 2,
        Failure = 3,
    }
    impl RequiredParentStatus {
        /// String value of the enum field names used in the ProtoBuf definition.
        ///
        /// The values are not transformed in any way and thus are considered stable
        /// (if the ProtoBuf definition does not change) and safe for programmatic use.
        pub fn as_str_name(&self) -> &'static str {
            match self {
                RequiredParentStatus::Unknown => "REQUIRED_PARENT_STATUS_UNKNOWN",
                RequiredParentStatus::Any => "ANY",
                RequiredParentStatus::Success => "SUCCESS",
                RequiredParentStatus::Failure => "FAILURE",
            }
        }
        /// Creates an enum from field names used in the ProtoBuf definition.
        pub fn from_str_name(value: &str) -> ::core::option::Option<Self> {
            match value {
                "REQUIRED_PARENT_STATUS_UNKNOWN" => Some(Self::Unknown),
                "ANY" => Some(Self::Any),
                "SUCCESS" => Some(Self::Success),
                "FAILURE" => Some(Self::Failure),
                _ => None,
            }
        }
    }
}
