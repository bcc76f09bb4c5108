//! A claim that a command holds: it beats from the beginning, whatever a person is asked meanwhile, and is left at every
//! end.

use std::sync::Arc;

use super::{
    Exit, Failure, Session,
    drive::{self, Drive},
};
use crate::store::{Beating, Claim};

/// A claim and its heartbeats.
#[derive(Debug)]
pub struct Claimed {
    claim: Arc<Claim>,
    beating: Beating,
}

impl Claimed {
    pub fn of(claim: Claim) -> Self {
        let claim = Arc::new(claim);
        let beating = claim.beating();
        Self { claim, beating }
    }

    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Says goodbye.
    pub async fn leave(self) {
        self.beating.end().await;
        if let Ok(claim) = Arc::try_unwrap(self.claim) {
            claim.leave().await;
        }
    }

    /// Prepares a drive and drives. Says goodbye also when that cannot be prepared, so that the next one need not wait.
    pub async fn drive(
        self,
        session: &Session,
        prepare: impl AsyncFnOnce(&Claim) -> Result<Drive, Failure>,
    ) -> Result<Exit, Failure> {
        match Box::pin(prepare(&self.claim)).await {
            Ok(prepared) => Box::pin(drive::drive(session, self.claim, self.beating, prepared)).await,
            Err(failure) => {
                self.leave().await;
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::Timestamp;
    use object_store::memory::InMemory;

    use super::*;
    use crate::{
        cli::{arguments::Arguments, machine::Machine},
        clock::Clock,
        run::RunId,
        store::Store,
    };

    /// A question refused, a target that is held, a file that cannot be written: the next one need not wait.
    #[tokio::test(start_paused = true)]
    async fn a_drive_that_cannot_be_prepared_is_left_with_a_goodbye() {
        let clock = Clock::starting_at(Timestamp::UNIX_EPOCH);
        let store = Store::objects(Arc::new(InMemory::new()), "runs", "memory://runs", clock.clone());
        let session = Session::new(Arguments::parse_from(["lifeboat", "runs"]).everywhere, Machine::here());
        let claim = store.begin(&RunId("one".into()), &session.machine.holder(clock.now())).await.expect("it is free");
        let kept = claim.kept.clone();
        let refuse = async |claim: &Claim| {
            // Somebody thinks it over.
            clock.sleep(std::time::Duration::from_mins(10)).await;
            assert!(claim.lease().holds(), "it beats meanwhile");
            Err(Failure::refused("no", ""))
        };
        let failure = Claimed::of(claim).drive(&session, refuse).await.expect_err("it was refused");
        assert_eq!(failure.message, "no");
        assert!(kept.driver().await.expect("it is readable").is_some_and(|heard| !heard.lives));
    }
}
