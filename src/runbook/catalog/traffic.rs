//! Other switches of traffic: Traffic Manager and Front Door.

use super::{
    ActionKind, Effect, Entry, FRONT_DOOR_PROFILE, Field, FieldType, TRAFFIC_MANAGER_PROFILE, optional, output,
    required, seconds,
};

const ENDPOINT_FIELDS: &[Field] = &[
    required("name", FieldType::String, "name of the endpoint"),
    required("type", FieldType::OneOf(&["azure", "external", "nested"]), "kind of the endpoint"),
    optional("status", FieldType::OneOf(&["enabled", "disabled"]), "whether it takes traffic; default: as it is"),
    optional("weight", FieldType::Integer(1, 1000), "weight; default: as it is"),
    optional("priority", FieldType::Integer(1, 1000), "priority, 1 first; default: as it is"),
];

pub(super) static SET_ENDPOINTS: Entry = Entry {
    kind: ActionKind::SetEndpoints,
    summary: "set status, weight and priority of a Traffic Manager profile's endpoints",
    fields: &[
        required("profile", FieldType::ResourceId(TRAFFIC_MANAGER_PROFILE), "the Traffic Manager profile"),
        required("endpoints", FieldType::List(&FieldType::Record(ENDPOINT_FIELDS)), "endpoints to set, in this order"),
    ],
    outputs: &[
        output("hostname", "DNS name of the profile"),
        output("endpoints", "of each endpoint that the step names: whether it is enabled, priority and weight now"),
        output("previous", "the same before"),
    ],
    effect: Effect::Reversible,
    timeout: seconds(10 * 60),
    typical: seconds(5),
    typical_source: "one write an endpoint",
    traffic: Some("profile"),
};

const ORIGIN_FIELDS: &[Field] = &[
    required("name", FieldType::String, "name of the origin"),
    optional("enabled", FieldType::Boolean, "whether it takes traffic; default: as it is"),
    optional("priority", FieldType::Integer(1, 5), "priority, 1 first; default: as it is"),
    optional("weight", FieldType::Integer(1, 1000), "weight; default: as it is"),
];

pub(super) static SET_ORIGIN: Entry = Entry {
    kind: ActionKind::SetOrigin,
    summary: "set state, priority and weight of a Front Door origin group's origins",
    fields: &[
        required("profile", FieldType::ResourceId(FRONT_DOOR_PROFILE), "the Front Door profile, Standard or Premium"),
        required("origin_group", FieldType::String, "name of the origin group"),
        required("origins", FieldType::List(&FieldType::Record(ORIGIN_FIELDS)), "origins to set, in this order"),
    ],
    outputs: &[
        output("origins", "of each origin that the step names: whether it is enabled, priority and weight now"),
        output("previous", "the same before"),
    ],
    effect: Effect::Reversible,
    timeout: seconds(10 * 60),
    typical: seconds(60),
    typical_source: "assumed: Front Door takes minutes to reach every edge",
    traffic: Some("profile"),
};
