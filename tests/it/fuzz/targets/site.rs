//! Site files: no line of them is ever shown, and what is understood can be written down again.

use lifeboat::{clock::Clock, site};

use super::problems;

pub fn hold(bytes: &[u8]) {
    let file = match site::parse("site.yaml", bytes) {
        Ok(file) => file,
        Err(found) => return problems::hold(&found, bytes, true),
    };
    if file.ca_file.is_some() {
        // Whatever the file holds; here, what stands in it by mistake.
        match file.into_site(Some(bytes)) {
            Ok(site) => assert!(!site.ca_certificates.is_empty()),
            Err(found) => problems::hold(&found, bytes, true),
        }
        return;
    }
    let site = file.into_site(None).expect("it names no other file");
    if let Some(simulated) = site.simulated {
        let clock = Clock::Scaled { anchor: simulated.anchor, since: simulated.since, speed: simulated.speed };
        let _no_panic = clock.now();
    }
    let written = site.to_yaml(None);
    let again = site::parse("again.yaml", written.as_bytes())
        .unwrap_or_else(|problems| panic!("{written}\n{}", problems.render(false)));
    assert_eq!(again.into_site(None).expect("it names no other file"), site, "{written}");
}
