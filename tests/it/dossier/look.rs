//! What every HTML report owes to its readers, whoever they are: order, headings, contrast, nothing from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::example;

const STYLE: &str = include_str!("../../../src/report/paper/page.css");

#[test]
fn every_example_is_readable_without_sight_without_scripts_and_without_a_network() {
    for (name, dossier) in example::all() {
        let html = dossier.html();
        for foreign in ["<script", "<link", "@import", "url(http", "src=", "onload", "javascript:"] {
            assert!(!html.contains(foreign), "{name}: {foreign}");
        }
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        assert!(!html.contains("<h3"), "{name}: a heading below the second level has nothing above it");
        assert!(html.find("<h1>") < html.find("<h2"), "{name}");
        assert_eq!(html.matches("<table").count(), html.matches("<caption>").count(), "{name}");
        let headers = html.matches("<th ").count();
        let scoped = html.matches("<th scope=\"col\"").count() + html.matches("<th scope=\"row\"").count();
        assert_eq!(headers, scoped, "{name}");
        for picture in html.split("<svg ").skip(1) {
            let picture = &picture[..picture.find("</svg>").unwrap()];
            assert!(picture.contains("role=\"img\"") && picture.contains("<title>"), "{name}");
        }
        assert_eq!(html.matches("<svg ").count(), html.matches("The picture in words").count(), "{name}");
        let ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "{name}: {ids:?}");
        for link in html.split("href=\"#").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]) {
            assert!(ids.contains(&link), "{name}: {link}");
        }
    }
}

/// Colours of one `:root` block, by name.
fn palette(block: &str) -> BTreeMap<&str, &str> {
    let pairs = block.split(';').filter_map(|one| one.trim().strip_prefix("--")?.split_once(": "));
    pairs.collect()
}

fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let share = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn every_text_has_contrast_in_light_in_dark_and_on_paper() {
    let blocks: Vec<_> = STYLE.split(":root {").skip(1).map(|rest| palette(&rest[..rest.find('}').unwrap()])).collect();
    assert_eq!(blocks.len(), 3);
    let pairs = [
        ("ink", "ground"),
        ("ink", "raised"),
        ("quiet", "ground"),
        ("quiet", "raised"),
        ("link", "ground"),
        ("link", "raised"),
        ("good", "ground"),
        ("good", "raised"),
        ("good", "good-ground"),
        ("careful", "ground"),
        ("careful", "raised"),
        ("careful", "careful-ground"),
        ("bad", "ground"),
        ("bad", "raised"),
        ("bad", "bad-ground"),
        ("ink", "good-ground"),
        ("ink", "careful-ground"),
        ("ink", "bad-ground"),
        ("ink", "read"),
        ("ink", "back"),
        ("ink", "forward"),
    ];
    for palette in blocks {
        for (text, ground) in pairs {
            let (one, other) = (luminance(palette[text]), luminance(palette[ground]));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= 4.5, "{text} on {ground}: {contrast:.2}");
        }
    }
}
