//! What belongs to no resource of Azure.

use super::{ActionKind, Effect, Entry, FieldType, STATUS, optional, output, required, seconds};

pub(super) static APPROVAL: Entry = Entry {
    kind: ActionKind::Approval,
    summary: "wait until people approve",
    fields: &[
        required("prompt", FieldType::String, "the question the approver answers"),
        optional("approvers", FieldType::Integer(1, 20), "how many different people must approve; default 1"),
    ],
    outputs: &[output("approved_by", "who approved")],
    effect: Effect::ReadOnly,
    timeout: seconds(60 * 60),
    typical: seconds(5 * 60),
    typical_source: "assumed",
    traffic: None,
};

pub(super) static HTTP_REQUEST: Entry = Entry {
    kind: ActionKind::HttpRequest,
    summary: "send one HTTP request",
    fields: &[
        required("url", FieldType::Url, "where to"),
        optional("method", FieldType::OneOf(&["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]), "default GET"),
        optional("headers", FieldType::Map(&FieldType::String), "request headers; no secrets, they are journalled"),
        optional("body", FieldType::String, "request body"),
        optional("expect_status", FieldType::List(&STATUS), "statuses that count as success; default: any 2xx"),
    ],
    outputs: &[output("status", "status code"), output("body", "first 64 KiB of the body, as text")],
    effect: Effect::Irreversible,
    timeout: seconds(60),
    typical: seconds(2),
    typical_source: "assumed",
    traffic: None,
};

pub(super) static COMMAND: Entry = Entry {
    kind: ActionKind::Command,
    summary: "run a program, without a shell, in a process group of its own",
    fields: &[
        required("argv", FieldType::List(&FieldType::String), "program and arguments"),
        optional(
            "env",
            FieldType::Map(&FieldType::String),
            "environment variables to add; no secrets, they are journalled",
        ),
        optional("directory", FieldType::String, "working directory"),
        optional("read_only", FieldType::Boolean, "the program changes nothing, so it may be run again; default false"),
    ],
    outputs: &[output("stdout", "last 64 KiB"), output("stderr", "last 64 KiB"), output("exit_code", "exit code")],
    effect: Effect::Irreversible,
    timeout: seconds(10 * 60),
    typical: seconds(10),
    typical_source: "assumed",
    traffic: None,
};

pub(super) static NOTIFY: Entry = Entry {
    kind: ActionKind::Notify,
    summary: "tell the receivers of the site's `notify` that take `message`",
    fields: &[
        required("message", FieldType::String, "what they are told; no secrets, it is journalled"),
        optional("severity", FieldType::OneOf(&["info", "warning", "error", "critical"]), "default info"),
    ],
    outputs: &[output("told", "names of those who took it")],
    // Nothing that a failover would have to take back.
    effect: Effect::ReadOnly,
    // Above the longest deadline of a receiver.
    timeout: seconds(11 * 60),
    typical: seconds(2),
    typical_source: "assumed",
    traffic: None,
};

pub(super) static WAIT: Entry = Entry {
    kind: ActionKind::Wait,
    summary: "wait",
    fields: &[
        optional("duration", FieldType::Duration, "how long"),
        optional("until", FieldType::String, "until when, as another step gives it: UTC"),
    ],
    outputs: &[],
    effect: Effect::ReadOnly,
    timeout: seconds(24 * 3600),
    typical: seconds(0),
    typical_source: "the step itself",
    traffic: None,
};
