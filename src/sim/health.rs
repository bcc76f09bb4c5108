//! Resource health, and the rules by which the simulator calls a resource unavailable.

use http::{Method, StatusCode};
use serde_json::json;

use super::{
    arm::{self, Place},
    exchange::{Desk, Incoming, Reply},
};

pub(super) fn answer(desk: &mut Desk<'_>, incoming: &Incoming, place: &Place<'_>) -> Reply {
    let known = place.rest[5].eq_ignore_ascii_case("availabilityStatuses")
        && place.rest.get(6).is_some_and(|name| name.eq_ignore_ascii_case("current"));
    if !known {
        return arm::no_route(incoming);
    }
    if incoming.method != Method::GET {
        return arm::no_method(incoming);
    }
    let group = place.group.unwrap_or_default();
    let Some(location) = location(desk, place) else {
        return arm::not_found(&format!("{}/{}", place.rest[0], place.rest[1]), place.rest[2], group);
    };
    let lost = desk.is_lost(&location);
    let (state, title, summary) = if lost {
        ("Unavailable", "Unavailable", format!("The resource is unavailable because of an outage in {location}."))
    } else {
        ("Available", "Available", "There aren't any known Azure platform problems affecting this resource.".to_owned())
    };
    let resource = incoming.path.split("/providers/Microsoft.ResourceHealth").next().unwrap_or_default();
    Reply::json(
        StatusCode::OK,
        &json!({
            "id": format!("{resource}/providers/Microsoft.ResourceHealth/availabilityStatuses/current"),
            "name": "current",
            "type": "Microsoft.ResourceHealth/AvailabilityStatuses",
            "location": super::state::compact(&location),
            "properties": {
                "availabilityState": state,
                "title": title,
                "summary": summary,
                "reasonType": if lost { "Unplanned" } else { "" },
                "reasonChronicity": "Persistent",
                // Azure writes it so.
                "occuredTime": desk.state.started.to_string(),
                "reportedTime": desk.now.to_string(),
                "recommendedActions": [],
                "serviceImpactingEvents": [],
            },
        }),
    )
}

/// Where a resource is; none: there is no such resource.
fn location(desk: &Desk<'_>, place: &Place<'_>) -> Option<String> {
    let (kind, name) = (place.rest[1], place.rest[2].to_ascii_lowercase());
    let group = place.group.unwrap_or_default();
    let (home, location) = if kind.eq_ignore_ascii_case("service") {
        let spec = &desk.state.services.get(&name)?.spec;
        (&spec.group, &spec.location)
    } else if kind.eq_ignore_ascii_case("storageAccounts") && name.eq_ignore_ascii_case(&desk.scenario.storage.account)
    {
        (&desk.scenario.storage.group, &desk.scenario.storage.location)
    } else {
        return None;
    };
    home.eq_ignore_ascii_case(group).then(|| location.clone())
}
