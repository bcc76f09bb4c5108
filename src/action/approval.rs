//! `approval`: people decide. The engine waits for them; this module only says, at plan time, who must.

use super::arguments::Approval;
use crate::plan::facts::Probe;

pub fn probe(approval: &Approval) -> Probe {
    let who = match approval.approvers {
        1 => "one person".to_owned(),
        many => format!("{many} different people"),
    };
    Probe {
        summary: format!(
            "waits until {who} approve{}: {}",
            if approval.approvers == 1 { "s" } else { "" },
            approval.prompt
        ),
        verified: true,
        ..Probe::default()
    }
}
