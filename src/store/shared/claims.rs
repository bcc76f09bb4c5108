//! Claims in a shared store. Nobody there knows whether a process on another machine lives, but that its heartbeat
//! changes.

use std::{sync::atomic::AtomicU64, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RunObjects;
use crate::{
    net::{
        Objects,
        objects::{Created, Listed},
    },
    run::{
        journal::Succession,
        lease::{Holder, Lease},
    },
    store::{
        Claim, Heard, Kept, StoreError,
        claim::{Claimed, Hold},
    },
};

/// A heartbeat that has not changed for so long, by the clock of whoever watches, is of a dead process: three are
/// missing, and its lease has run out.
pub const SILENCE: Duration = Duration::from_secs(15);

/// How often whoever watches looks.
const WATCH: Duration = Duration::from_secs(1);

/// What a heartbeat says. It differs from the one before in every case, so that whoever watches sees a change.
#[derive(Serialize, Deserialize)]
struct Heartbeat {
    at: Timestamp,
    beat: u64,
    left: bool,
}

fn claim_name(number: u64) -> String {
    format!("{number:06}.json")
}

fn heard_name(number: u64) -> String {
    format!("{number:06}.heard")
}

/// The number in the name of a claim.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json").filter(|digits| digits.len() >= 6)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// The last claim in a listing, and the mark of its heartbeat.
fn last(listed: &[Listed]) -> Option<(u64, Option<&str>)> {
    let claim = listed.iter().filter_map(|object| number(&object.name)).max()?;
    let heard = heard_name(claim);
    let mark = listed.iter().find(|object| object.name == heard).map(|object| object.mark.as_str());
    Some((claim, mark))
}

impl RunObjects {
    pub(in crate::store) fn succession(&self, number: u64) -> Succession {
        Succession::Object { objects: self.control.clone(), name: claim_name(number) }
    }

    pub(in crate::store) async fn driver(&self) -> Result<Option<Heard>, StoreError> {
        match last(&self.control.list().await?) {
            Some((claim, _)) => self.heard(claim).await.map(Some),
            None => Ok(None),
        }
    }

    /// A claim, and when it was last heard.
    async fn heard(&self, claim: u64) -> Result<Heard, StoreError> {
        let (claimed, heard) = (claim_name(claim), heard_name(claim));
        let (claimed, heard) = tokio::try_join!(self.read::<Claimed>(&claimed), self.read::<Heartbeat>(&heard))?;
        let Claimed { holder, quiet_from } = claimed.ok_or_else(|| StoreError::Damaged {
            place: self.control.shown(&claim_name(claim)),
            what: "it was listed, and is gone".to_owned(),
        })?;
        let lives = heard.as_ref().is_none_or(|heard| !heard.left);
        Ok(Heard { claim, holder, at: heard.map(|heard| heard.at), lives, quiet_from })
    }

    async fn read<T: for<'a> Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let Some(found) = self.control.read(name).await? else { return Ok(None) };
        serde_json::from_slice(&found.bytes)
            .map(Some)
            .map_err(|error| StoreError::Damaged { place: self.control.shown(name), what: error.to_string() })
    }

    /// `silent`: was watched already.
    pub(in crate::store) async fn claim(
        &self,
        holder: &Holder,
        take_over: bool,
        silent: Option<&Heard>,
    ) -> Result<Claim, StoreError> {
        loop {
            let heard = self.driver().await?;
            let lives = heard.as_ref().filter(|heard| heard.lives);
            if let Some(heard) = lives.filter(|heard| !take_over && silent != Some(*heard))
                && !self.is_silent(heard).await?
            {
                let now = self.heard(heard.claim).await?;
                return Err(StoreError::Driven { run: self.run.clone(), heard: Box::new(now) });
            }
            let over = lives.filter(|_| take_over).map(|heard| heard.holder.clone());
            let number = heard.as_ref().map_or(1, |heard| heard.claim + 1);
            // Also over one that fell silent: it may have beaten since it was last looked at.
            let quiet_from = lives.map(|_| number).or(heard.as_ref().and_then(|heard| heard.quiet_from));
            // Taken by somebody else meanwhile: look again.
            if let Some(claim) = self.claim_number(number, holder, over, quiet_from).await? {
                return Ok(claim);
            }
        }
    }

    pub(super) async fn claim_number(
        &self,
        number: u64,
        holder: &Holder,
        over: Option<Holder>,
        quiet_from: Option<u64>,
    ) -> Result<Option<Claim>, StoreError> {
        let lease = Lease::beginning(self.control.clock().clone());
        let claimed = Claimed { holder: holder.clone(), quiet_from };
        let text = serde_json::to_string(&claimed).expect("text keys");
        match self.control.create(&claim_name(number), text).await? {
            Created::Taken(_) => Ok(None),
            Created::Ours => {
                // Patiently: whoever looks next must see that it lives.
                self.heartbeat(&self.control, number, 0, false).await?;
                let hold = Hold::Heartbeats(AtomicU64::new(1));
                let kept = Kept::Objects(Box::new(self.clone()));
                Ok(Some(Claim { kept, number, holder: claimed.holder, over, quiet_from, lease, hold }))
            }
        }
    }

    /// Watches a driver that has not said goodbye. True: it is dead, or has gone meanwhile; whoever asks looks again.
    pub(in crate::store) async fn is_silent(&self, heard: &Heard) -> Result<bool, StoreError> {
        let clock = self.control.clock();
        let begin = clock.moment();
        let before = self.control.list().await?;
        let Some((claim, mark)) = last(&before) else { return Ok(true) };
        if claim != heard.claim {
            return Ok(true);
        }
        if let Some(tell) = &self.tell {
            tell(&format!(
                "run `{}` was driven by {}; watching for {} s whether that process still lives",
                self.run,
                heard.sentence(),
                SILENCE.as_secs()
            ));
        }
        while clock.watched_since(&begin) < SILENCE {
            clock.sleep(WATCH).await;
            let now = self.control.list().await?;
            if last(&now) != Some((claim, mark)) {
                return Ok(self.driver().await?.is_none_or(|driver| driver.claim != claim || !driver.lives));
            }
        }
        Ok(true)
    }

    /// One heartbeat, asked once: the next one is due soon.
    pub(in crate::store) async fn beat(&self, claim: u64, beat: u64, left: bool) -> Result<(), StoreError> {
        self.heartbeat(&self.control.clone().once(), claim, beat, left).await
    }

    async fn heartbeat(&self, control: &Objects, claim: u64, beat: u64, left: bool) -> Result<(), StoreError> {
        let text = serde_json::to_string(&Heartbeat { at: control.clock().now(), beat, left }).expect("text keys");
        Ok(control.write(&heard_name(claim), text).await?)
    }

    /// Names and sizes of what lies beside the claims, unless somebody has taken the run over.
    pub(in crate::store) async fn beside(&self, claim: &Claim) -> Result<Vec<(String, u64)>, StoreError> {
        let listed = self.control.clone().once().list().await?;
        if last(&listed).is_some_and(|(last, _)| last > claim.number) {
            claim.look().await?;
        }
        Ok(listed.into_iter().map(|object| (object.name, object.size)).collect())
    }
}
