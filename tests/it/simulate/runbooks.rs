//! Random runbooks, and worlds in random trouble.

use std::{fmt::Write as _, time::Duration};

use lifeboat::sim::{
    Act, DnsTrouble, Fault, GatewayFault, GatewayTrouble, MemberChange, Moment, Region, Scenario, Status, Twice,
};

use super::chance::Chance;

const PARAMETERS: &str = "
parameters:
  active: { type: resource-id }
  standby: { type: resource-id }
  storage: { type: resource-id }
  container: { type: string }
  zone: { type: resource-id }
  private_zone: { type: resource-id }
  traffic_manager: { type: resource-id }
  front_door: { type: resource-id }
steps:
";

/// A step and what it needs anyway, by name.
const MENU: &[(&str, &[&str], &str)] = &[
    ("ttl", &[], "dns.set-ttl: { zone: '${{ params.zone }}', record: api, ttl: 60s }"),
    (
        "flip",
        &[],
        "dns.flip-cname: { zone: '${{ params.zone }}', record: api-drill, target: apim-contoso-east.azure-api.net, ttl: 60s }",
    ),
    (
        "seen",
        &["flip"],
        "dns.verify-propagation: { zone: '${{ params.zone }}', record: api-drill, target: apim-contoso-east.azure-api.net }",
    ),
    (
        "private",
        &[],
        "private-dns.flip-cname: { zone: '${{ params.private_zone }}', record: api, target: apim-contoso-east.azure-api.net }",
    ),
    (
        "endpoints",
        &[],
        "traffic-manager.set-endpoints: { profile: '${{ params.traffic_manager }}', endpoints: [{ name: east, type: external, status: enabled }, { name: west, type: external, status: disabled }] }",
    ),
    (
        "origins",
        &[],
        "front-door.set-origin: { profile: '${{ params.front_door }}', origin_group: apim, origins: [{ name: east, enabled: true }, { name: west, enabled: false }] }",
    ),
    (
        "find",
        &[],
        "backup.find-latest: { service: '${{ params.active }}', storage: '${{ params.storage }}', container: '${{ params.container }}', prefix: '${{ params.active.name }}-' }",
    ),
    (
        "restore",
        &["find"],
        "apim.restore: { service: '${{ params.standby }}', backup: '${{ steps.find.backup }}', access: system-assigned-identity }",
    ),
    (
        "backup",
        &[],
        "apim.backup: { service: '${{ params.standby }}', storage: '${{ params.storage }}', container: '${{ params.container }}', access: system-assigned-identity }",
    ),
    ("health", &[], "gateway.health-check: { service: '${{ params.standby }}', hostname: api.contoso.com }"),
    ("rest", &[], "wait: { duration: 30s }"),
    ("pause", &[], "wait: { duration: 20m }"),
    ("ask", &[], "approval: { prompt: 'Go on?', approvers: 1 }"),
];

/// A runbook of two to seven steps in any order that their needs allow.
pub fn runbook(chance: &mut Chance) -> String {
    let mut text = format!("version: 1\nname: random{PARAMETERS}");
    let mut names: Vec<&str> = Vec::new();
    let wanted = 2 + chance.below(6);
    let mut changes = false;
    while (names.len() as u64) < wanted || !changes {
        let (name, needs, action) = *chance.pick(MENU);
        if names.contains(&name) || needs.iter().any(|need| !names.contains(need)) {
            continue;
        }
        changes |= !["seen", "find", "health", "rest", "pause", "ask"].contains(&name);
        let mut all: Vec<&str> = needs.to_vec();
        all.extend(names.iter().copied().filter(|other| !needs.contains(other) && chance.once_in(3)));
        let on_failure = ["stop", "stop", "continue", "undo", "undo"][usize::try_from(chance.below(5)).unwrap()];
        writeln!(text, "  - id: {name}\n    needs: [{}]\n    on_failure: {on_failure}", all.join(", ")).unwrap();
        if chance.once_in(3) {
            let delay = ["0s", "15s", "10m"][usize::try_from(chance.below(3)).unwrap()];
            writeln!(text, "    retry: {{ attempts: {}, delay: {delay} }}", 2 + chance.below(4)).unwrap();
        }
        let rare = chance.once_in(6) && needs.is_empty() && name != "find" && name != "flip";
        writeln!(text, "    modes: [planned{}]", if rare { "" } else { ", unplanned" }).unwrap();
        if chance.once_in(6) {
            writeln!(text, "    timeout: {}", ["1m", "25m", "2h"][usize::try_from(chance.below(3)).unwrap()]).unwrap();
        }
        writeln!(text, "    do:\n      {action}").unwrap();
        names.push(name);
    }
    text
}

/// A world with few backups and up to five faults, all of which are over some day.
pub fn scenario(chance: &mut Chance) -> Scenario {
    let mut scenario = Scenario { seed: 1 + chance.below(1000), ..Scenario::default() };
    scenario.backups.count = 3;
    scenario.backups.traps.clear();
    if chance.once_in(2) {
        scenario.region = Region::Alive;
    }
    for _ in 0..chance.below(6) {
        let fault = fault(chance, &scenario);
        scenario.faults.push(fault);
    }
    scenario
}

fn fault(chance: &mut Chance, scenario: &Scenario) -> Fault {
    let codes = [401, 403, 404, 409, 412, 429, 500, 503];
    let status = Status {
        code: *chance.pick(&codes),
        error_code: None,
        message: None,
        retry_after: chance.once_in(2).then(|| Duration::from_secs(chance.below(120))),
        acted: chance.once_in(4),
    };
    let acts = [
        Act::Status(status),
        Act::Reset(Moment::Before),
        Act::Reset(Moment::After),
        Act::Hang(Duration::from_secs(chance.below(600))),
        Act::Truncate,
        Act::Twice(Twice::First),
        Act::ExpireTokens,
        Act::LoseOperation,
        Act::FailOperation { code: "Failed".to_owned(), message: "It failed.".to_owned() },
        Act::StickOperation,
        Act::StaleEtag,
        Act::ChangeRecord { target: "somebody-else.contoso.net".to_owned() },
        Act::ChangeMember(MemberChange { member: "west".to_owned(), weight: Some(7), ..MemberChange::default() }),
        Act::DnsServer(DnsTrouble { server: "resolver-1".to_owned(), lag: None, down: true }),
        Act::Gateway(GatewayFault { service: scenario.standby.name.clone(), trouble: GatewayTrouble::Flap }),
        Act::RegionDown(scenario.standby.location.clone()),
    ];
    let act = chance.pick(&acts).clone();
    let from = chance.time(Duration::from_mins(90)) + Duration::from_secs(30);
    let until = from + chance.time(Duration::from_mins(40));
    let writes = chance.once_in(2);
    let fault = Fault::new(act).between(from, Some(until)).probability(0.2 + chance.below(9) as f64 / 10.0);
    let fault = Fault { probability: fault.probability.min(1.0), ..fault };
    if writes {
        fault
            .on(["PUT", "POST", "PATCH"][usize::try_from(chance.below(3)).unwrap()], "*")
            .times(1 + u32::try_from(chance.below(3)).unwrap())
    } else {
        fault
    }
}
