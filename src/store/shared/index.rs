//! The index of a shared store: a row a run, as its last drive left it, so that a list of runs need not read every
//! journal. Only a row that says that its run is over is believed: after that nothing follows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Shelf;
use crate::{run::RunId, store::StoreError};

/// Version of a row's object; what another version wrote is not believed.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Entry {
    v: u32,
    over: bool,
    row: Value,
}

impl Shelf {
    pub(in crate::store) async fn put_row(&self, run: &RunId, over: bool, row: Value) -> Result<(), StoreError> {
        let text = serde_json::to_string(&Entry { v: FORMAT, over, row }).expect("text keys");
        Ok(self.objects.below("index").once().write(&format!("{run}.json"), text).await?)
    }

    pub(in crate::store) async fn rows_of_ended(&self) -> Result<BTreeMap<RunId, Value>, StoreError> {
        let index = self.objects.below("index");
        let names: Vec<String> = index.list().await?.into_iter().map(|object| object.name).collect();
        let read = index.read_all(&names).await?;
        let ended = names.iter().zip(read).filter_map(|(name, bytes)| {
            let run = RunId(name.strip_suffix(".json")?.into());
            // It is only a shortcut: without it the journal is read.
            let entry: Entry = serde_json::from_slice(&bytes?).ok()?;
            (entry.v == FORMAT && entry.over).then_some((run, entry.row))
        });
        Ok(ended.collect())
    }
}
