//! Locks of targets in a directory: taken under one guard, all or none.

use std::{collections::BTreeMap, io, path::PathBuf};

use super::{
    Root,
    claims::Lock,
    files::{make_private, read_limited, write_private},
};
use crate::{
    run::{RunId, State},
    store::{
        Claim, StoreError, Target,
        error::io_error,
        target::{self, Held},
    },
};

/// Longest lock that is read.
const LARGEST: u64 = 64 << 10;

impl Root {
    pub(in crate::store) async fn hold_targets(
        &self,
        claim: &Claim,
        targets: &[Target],
    ) -> Result<BTreeMap<String, u64>, StoreError> {
        let directory = self.path.join("targets");
        make_private(&directory)?;
        let guard = directory.join("guard.lock");
        let _guard = Lock::guard(&guard).map_err(|source| io_error("lock", guard, source))?;
        // Whoever was superseded takes nothing: the one after it has what it needs already.
        claim.look().await?;
        let mut taken = BTreeMap::new();
        for target in targets {
            let before = self.held(&target.id)?;
            if let Some(held) = &before
                && held.run != *claim.kept.run()
                && let Some(what) = self.unfinished(held)?
            {
                return Err(StoreError::TargetHeld { run: held.run.clone(), target: target.id.clone(), what });
            }
            taken.insert(target.id.clone(), Held::taken(claim, target, before.as_ref()));
        }
        for (id, held) in &taken {
            let path = self.target_path(id);
            write_private(&path, held.text().as_bytes()).map_err(|source| io_error("write", path, source))?;
        }
        Ok(taken.into_iter().map(|(id, held)| (id, held.generation)).collect())
    }

    fn target_path(&self, target: &str) -> PathBuf {
        self.path.join("targets").join(target::name(target))
    }

    fn held(&self, target: &str) -> Result<Option<Held>, StoreError> {
        let path = self.target_path(target);
        let bytes = match read_limited(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("read", path, source)),
        };
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            place: path.display().to_string(),
            what: error.to_string(),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// In words, why the run that holds a target is not over; none when it is over, or never began.
    fn unfinished(&self, held: &Held) -> Result<Option<String>, StoreError> {
        let directory = self.run(RunId(held.run.0.clone()));
        let driver = directory.driver()?;
        let Some(loaded) = directory.load_begun()? else {
            return Ok(driver.filter(|driver| driver.lives).map(|driver| format!("begun by {}", driver.holder)));
        };
        let state = State::fold(loaded.records.iter().map(|record| (record.at, &record.event)))
            .map_err(|source| StoreError::Illegal { run: held.run.clone(), source })?;
        Ok(held.why(&state, driver.as_ref()))
    }
}
