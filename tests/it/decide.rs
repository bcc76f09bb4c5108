//! The pure decision, rule by rule, without tokio: what starts, what is tried again, what is in doubt, how it ends.

mod approvals;
mod play;
mod random;
mod rules_after_a_crash;
mod rules_of_hands;
mod rules_of_people;
mod rules_of_records;
mod rules_of_steps;
mod rules_of_undo;
