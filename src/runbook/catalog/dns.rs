//! Names: records of public and private Azure DNS zones.

use super::{
    ActionKind, DNS_ZONE, Effect, Entry, FieldType, Output, PRIVATE_DNS_ZONE, optional, output, required, seconds,
};

const FLIP_OUTPUTS: &[Output] = &[
    output("target", "where the record points now"),
    output("previous_target", "where it pointed before"),
    output("previous_ttl", "the TTL before, which caches may still hold"),
    output("hostname", "full name of the record"),
    output("etag", "ETag of the record now"),
    output("flipped_at", "when Azure took the change, UTC"),
];

pub(super) static SET_TTL: Entry = Entry {
    kind: ActionKind::SetTtl,
    summary: "set the TTL of a CNAME record, so that a later flip is seen sooner",
    fields: &[
        required("zone", FieldType::ResourceId(DNS_ZONE), "the public Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("ttl", FieldType::Duration, "TTL to set"),
    ],
    outputs: &[
        output("ttl", "the TTL now"),
        output("previous_ttl", "the TTL before, which caches may still hold"),
        output("hostname", "full name of the record"),
        output("etag", "ETag of the record now"),
        output("drained_at", "when the last cache of the old TTL runs out, UTC"),
    ],
    effect: Effect::Reversible,
    timeout: seconds(2 * 60),
    typical: seconds(3),
    typical_source: "one write",
    traffic: Some("record"),
};

pub(super) static FLIP_CNAME: Entry = Entry {
    kind: ActionKind::FlipCname,
    summary: "point a CNAME record of an Azure DNS zone at another target",
    fields: &[
        required("zone", FieldType::ResourceId(DNS_ZONE), "the public Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("target", FieldType::Hostname, "host name the record shall point at"),
        optional("ttl", FieldType::Duration, "TTL to set; default: as it is"),
    ],
    outputs: FLIP_OUTPUTS,
    effect: Effect::Reversible,
    timeout: seconds(2 * 60),
    typical: seconds(3),
    typical_source: "one write",
    traffic: Some("record"),
};

pub(super) static VERIFY_PROPAGATION: Entry = Entry {
    kind: ActionKind::VerifyPropagation,
    summary: "wait until every name server and resolver gives the new target and the old TTL has drained",
    fields: &[
        required("zone", FieldType::ResourceId(DNS_ZONE), "the public Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("target", FieldType::Hostname, "the expected target"),
        optional("interval", FieldType::Duration, "time between two rounds of questions; default 5s"),
        optional("drain", FieldType::Boolean, "wait for the old TTL too; default true"),
    ],
    outputs: &[
        output("servers", "what each name server and resolver answered last"),
        output("drained_at", "when the last cache of the old answer ran out, UTC"),
    ],
    effect: Effect::ReadOnly,
    timeout: seconds(15 * 60),
    typical: seconds(5 * 60),
    typical_source: "the old TTL, at least",
    traffic: None,
};

pub(super) static FLIP_PRIVATE_CNAME: Entry = Entry {
    kind: ActionKind::FlipPrivateCname,
    summary: "point a CNAME record of a private Azure DNS zone at another target",
    fields: &[
        required("zone", FieldType::ResourceId(PRIVATE_DNS_ZONE), "the private Azure DNS zone"),
        required("record", FieldType::String, "relative record name"),
        required("target", FieldType::Hostname, "host name the record shall point at"),
        optional("ttl", FieldType::Duration, "TTL to set; default: as it is"),
    ],
    outputs: FLIP_OUTPUTS,
    effect: Effect::Reversible,
    timeout: seconds(2 * 60),
    typical: seconds(3),
    typical_source: "one write",
    traffic: Some("record"),
};
