//! Runs beside each other in a shared store: what must mind the others sees them all, and the index spares it those that
//! are over.

use lifeboat::{
    cli::others::others,
    report::{Standing, runs::Row},
    run::{Event, Outcome, RunId},
    runbook::ResourceId,
    sim::{Scenario, bucket::BucketVerb},
};
use serde_json::json;

use super::{Place, begin};
use crate::harness::{Stage, on_paused_clock};

const SERVICE: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-apim-east/providers/\
                       Microsoft.ApiManagement/service/apim-contoso-east";

#[test]
fn backups_are_kept_for_a_run_of_another_machine_until_it_is_over() {
    on_paused_clock(async {
        for shared in [true, false] {
            let stage = Stage::flagship(Scenario::default());
            let place = Place::on(shared, &stage.clock);
            let claim = begin(&stage, &place.store, "ann").await;
            let service = ResourceId::parse(SERVICE).unwrap();
            let beside = |own: Option<&str>| others(place.store.clone(), own.map(|run| RunId(run.into())));
            let needed = async |own| beside(own).that_need(&service, "elsewhere", "x").await.unwrap();
            assert_eq!(needed(None).await.as_deref(), Some("test-run"));
            assert_eq!(needed(Some("test-run")).await, None, "a run does not stand in its own way");
            let another = ResourceId::parse(&SERVICE.replace("east", "north")).unwrap();
            let container = beside(None).that_need(&another, "StContosoDr", "apim-backups").await.unwrap();
            assert_eq!(container.as_deref(), Some("test-run"), "it restores from there");

            // A row that does not say that it is over is not believed.
            let (state, loaded) = claim.kept.load().await.unwrap();
            let row = |standing| serde_json::to_value(Row::of(&state, standing, stage.clock.now())).unwrap();
            place.store.put_row(&state.run, false, row(Standing::Driven)).await.unwrap();
            assert!(place.store.rows_of_ended().await.unwrap().is_empty());
            assert_eq!(needed(None).await.as_deref(), Some("test-run"));

            let over = Event::RunStopped { outcome: Outcome::Aborted, reason: "enough".into() };
            claim.journal(Some(&loaded)).await.unwrap().append(stage.clock.now(), &[over]).await.unwrap();
            assert_eq!(needed(None).await, None);
            if shared {
                place.store.put_row(&state.run, true, row(Standing::Ended(Outcome::Aborted))).await.unwrap();
                let before = place.memory.log().len();
                assert_eq!(needed(None).await, None);
                let rows = place.store.rows_of_ended().await.unwrap();
                assert_eq!(rows[&state.run]["standing"], json!("aborted"));
                let read: Row = serde_json::from_value(rows[&state.run].clone()).unwrap();
                assert!(matches!(read, Row::Run { standing: Standing::Ended(Outcome::Aborted), .. }));
                let read = place.memory.log();
                let journal = |path: &str| path.contains("/journal/");
                assert!(!read[before..].iter().any(|request| journal(&request.path)), "its journal is not read");
                assert!(read[before..].iter().any(|request| request.verb == BucketVerb::List));
            }
        }
    });
}
