//! The simulated operator: stands in for the people who approve, in a simulation and nowhere else.

use std::{collections::BTreeSet, time::Duration};

use tokio::sync::{mpsc, oneshot};

use crate::{
    clock::Clock,
    run::{
        Person,
        engine::{Directive, Observer, Request},
    },
};

/// Simulated time that it takes to answer.
const THINKS: Duration = Duration::from_secs(60);

/// Gives every approval after a while, marked as simulated. Only ever made for an in-process simulation.
pub fn simulated_operator(clock: Clock, directives: mpsc::Sender<Directive>) -> Observer {
    let mut answered = BTreeSet::new();
    Box::new(move |_, _, state| {
        for step in state.approvals_wanted().into_keys() {
            if !answered.insert(step.clone()) {
                continue;
            }
            let (clock, directives) = (clock.clone(), directives.clone());
            tokio::spawn(async move {
                clock.sleep(THINKS).await;
                let by = Person {
                    name: "simulated operator".to_owned(),
                    host: "simulator".to_owned(),
                    verified: false,
                    simulated: true,
                    account: None,
                    key: None,
                };
                let request = Request::Approve { step, by, comment: None };
                let (answer, _) = oneshot::channel();
                let _the_run_is_over = directives.send(Directive { request, answer }).await;
            });
        }
    })
}
