//! Effects on the simulated world, held against the intents of the journal and against the run that nothing disturbs.

use crate::{
    run::{Event, Intent},
    sim::{Effects, LoggedRequest},
};

/// One kind of change.
struct Kind {
    /// Plural noun.
    name: &'static str,
    /// Method and a part of the path, both as they are sent; the path in lower case.
    methods: &'static [&'static str],
    part: &'static str,
    accepted: fn(&Effects) -> u32,
    /// How often it came to its end, where that takes a while.
    completed: Option<fn(&Effects) -> u32>,
    /// Never sent again for one intent, whatever the answer was, but on 401 and 429, which had no effect.
    once: bool,
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "restores",
        methods: &["POST"],
        part: "/restore",
        accepted: |it| it.restores_accepted,
        completed: Some(|it| it.restores_completed),
        once: true,
    },
    Kind {
        name: "backups",
        methods: &["POST"],
        part: "/backup",
        accepted: |it| it.backups_accepted,
        completed: Some(|it| it.backups_completed),
        once: true,
    },
    Kind {
        name: "changes of records",
        methods: &["PUT", "PATCH"],
        part: "dnszones/",
        accepted: |it| it.record_puts_accepted,
        completed: None,
        once: false,
    },
    Kind {
        name: "changes of endpoints",
        methods: &["PATCH"],
        part: "/trafficmanagerprofiles/",
        accepted: |it| it.endpoint_patches_accepted,
        completed: None,
        once: false,
    },
    Kind {
        name: "changes of origins",
        methods: &["PATCH"],
        part: "/microsoft.cdn/",
        accepted: |it| it.origin_patches_accepted,
        completed: Some(|it| it.origin_patches_completed),
        once: false,
    },
    Kind {
        name: "deletions of blobs",
        methods: &["DELETE"],
        part: ".apimbackup",
        accepted: |it| it.blob_deletes_accepted,
        completed: None,
        once: false,
    },
];

/// Everything that was done twice, or without having been announced; each a lower-case fragment. `repeats`: the world
/// itself let a request arrive twice. `undisturbed`: the effects of the same run when nothing goes wrong, if they are known.
pub fn duplicates(
    (world, undisturbed): (&Effects, Option<&Effects>),
    requests: &[LoggedRequest],
    events: &[&Event],
    repeats: bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for kind in &KINDS {
        let intents = count(events.iter().copied().filter_map(intent).filter(|intent| kind.is_of(intent)));
        let back = count(
            events.iter().filter(|event| matches!(event, Event::UndoIntended { intent, .. } if kind.is_of(intent))),
        );
        let sent = count(requests.iter().filter(|request| kind.was_sent(request)));
        let accepted = (kind.accepted)(world);
        if kind.once && sent > intents {
            found.push(format!("{sent} requests for {} of {intents} intents", kind.name));
        }
        // A blob and its manifest are deleted under one intent; a request that arrives twice is taken twice where that
        // does no harm.
        let doubled = kind.methods == ["DELETE"] || (repeats && !kind.once);
        if accepted > intents * if doubled { 2 } else { 1 } {
            found.push(format!("{accepted} {} of {intents} intents", kind.name));
        }
        let Some(undisturbed) = undisturbed else { continue };
        // What was taken and then failed changed nothing.
        let done = kind.completed.unwrap_or(kind.accepted);
        let (times, usual) = (done(world), done(undisturbed));
        if times > usual + back + u32::from(repeats && !kind.once) {
            found.push(format!("{times} {} where {usual} are enough", kind.name));
        }
    }
    found
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

fn intent(event: &Event) -> Option<&Intent> {
    if let Event::ChangeIntended { intent, .. } | Event::UndoIntended { intent, .. } = event {
        return Some(intent);
    }
    None
}

impl Kind {
    fn is_of(&self, intent: &Intent) -> bool {
        self.fits(&intent.request.method, &intent.request.url)
    }

    fn was_sent(&self, request: &LoggedRequest) -> bool {
        self.fits(&request.method, &request.url) && !matches!(request.status, Some(401 | 429))
    }

    fn fits(&self, method: &str, url: &str) -> bool {
        let path = url.split('?').next().unwrap_or_default().to_ascii_lowercase();
        let at_the_end = self.methods == ["POST"];
        let holds = if at_the_end { path.ends_with(self.part) } else { path.contains(self.part) };
        self.methods.contains(&method) && holds
    }
}
