//! Locks of targets in a shared store: each is taken by a write that fails when somebody else was faster.

use std::collections::BTreeMap;

use super::Shelf;
use crate::{
    net::objects::Created,
    run::{State, lease::Holder},
    store::{
        Claim, StoreError, Target,
        target::{self, Held},
    },
};

impl Shelf {
    pub(in crate::store) async fn hold_targets(
        &self,
        claim: &Claim,
        targets: &[Target],
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut taken = BTreeMap::new();
        for target in targets {
            taken.insert(target.id.clone(), self.hold(claim, target).await?);
        }
        Ok(taken)
    }

    async fn hold(&self, claim: &Claim, target: &Target) -> Result<u64, StoreError> {
        let objects = self.objects.below("targets");
        let name = target::name(&target.id);
        loop {
            let found = objects.read(&name).await?;
            let before: Option<Held> =
                match &found {
                    Some(found) => Some(serde_json::from_slice(&found.bytes).map_err(|error| StoreError::Damaged {
                        place: objects.shown(&name),
                        what: error.to_string(),
                    })?),
                    None => None,
                };
            if let Some(held) = &before
                && held.run != *claim.kept.run()
                && let Some(what) = self.unfinished(held, &claim.holder).await?
            {
                return Err(StoreError::TargetHeld { run: held.run.clone(), target: target.id.clone(), what });
            }
            // Whoever was superseded takes nothing: the one after it has what it needs already.
            claim.look().await?;
            let held = Held::taken(claim, target, before.as_ref());
            let done = match &found {
                Some(found) => objects.replace(&name, held.text(), found).await?,
                None => objects.create(&name, held.text()).await? == Created::Ours,
            };
            if done {
                return Ok(held.generation);
            }
        }
    }

    /// In words, why the run that holds a target is not over; none when it is over, or never began, and cannot begin any
    /// more: `by` claims one whose process fell silent, which looks for that after its first record.
    async fn unfinished(&self, held: &Held, by: &Holder) -> Result<Option<String>, StoreError> {
        let run = self.run(held.run.clone());
        let driver = loop {
            let driver = run.driver().await?;
            if run.has_begun().await? {
                break driver;
            }
            let Some(driver) = driver.filter(|driver| driver.lives) else { return Ok(None) };
            if !run.is_silent(&driver).await? {
                return Ok(Some(format!("begun by {}", driver.holder)));
            }
            let number = driver.claim + 1;
            // Begun meanwhile, or claimed by somebody else: look again.
            if !run.has_begun().await?
                && let Some(claim) = run.claim_number(number, by, None, Some(number)).await?
            {
                claim.leave().await;
            }
        };
        let loaded = run.load().await?;
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event)))
            .map_err(|source| StoreError::Illegal { run: held.run.clone(), source })?;
        Ok(held.why(&state, driver.as_ref()))
    }
}
