//! The gateway of a service.

use super::{
    ACCESS_KEY_FIELDS, APIM_SERVICE, ActionKind, Effect, Entry, Field, FieldType, STATUS, optional, output, required,
    seconds,
};

const PATH_FIELDS: &[Field] = &[
    required("path", FieldType::String, "path on the gateway, with a leading slash"),
    optional("expect_status", STATUS, "status that counts as healthy; 401 for one that must be refused; default 200"),
    optional(
        "expect_headers",
        FieldType::Map(&FieldType::String),
        "headers that the answer must have, with their values",
    ),
    optional("expect_body", FieldType::String, "text that the body must hold"),
    optional("max_latency", FieldType::Duration, "longest that an answer may take"),
    optional(
        "subscription_key",
        FieldType::Record(ACCESS_KEY_FIELDS),
        "where the subscription key is that is sent along; default: none is sent",
    ),
];

pub(super) static GATEWAY_HEALTH: Entry = Entry {
    kind: ActionKind::GatewayHealth,
    summary: "prove that the gateway of a service serves the production hostname",
    fields: &[
        required("service", FieldType::ResourceId(APIM_SERVICE), "the service whose gateway is asked"),
        required("hostname", FieldType::Hostname, "production hostname, sent as SNI and Host"),
        optional("paths", FieldType::List(&FieldType::Record(PATH_FIELDS)), "paths to ask besides the status endpoint"),
        optional("max_latency", FieldType::Duration, "longest that any answer may take; default 10s"),
        optional("consecutive", FieldType::Integer(1, 100), "healthy answers in a row that are wanted; default 3"),
        optional("interval", FieldType::Duration, "time between two of them; default 2s"),
        optional("certificate_days", FieldType::Integer(0, 825), "days the certificate must still be valid; default 1"),
        optional("thumbprint", FieldType::String, "SHA-1 thumbprint the certificate must have"),
    ],
    outputs: &[
        output("address", "address and port that answered"),
        output("thumbprint", "SHA-1 thumbprint of the certificate it showed"),
        output("certificate_expires", "when that certificate ends, UTC"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(60),
    typical: seconds(10),
    typical_source: "three answers in a row",
    traffic: None,
};
