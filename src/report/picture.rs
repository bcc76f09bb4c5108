//! Graphs as text, Mermaid, Graphviz and SVG. Pure; colour is never the only sign of what a step may do.

mod svg;

pub use svg::escape;

use std::fmt::Write as _;

use crate::{
    plan::Plan,
    runbook::{Effect, Mode, Runbook, StepId, graph::Graph},
};

/// A graph to be drawn. It has no cycles: it comes from a checked runbook or from a plan.
#[derive(Clone, Debug)]
pub struct Picture {
    pub title: String,
    pub nodes: Vec<Node>,
    /// From the step that is needed to the one that needs it; positions in `nodes`.
    pub edges: Vec<(usize, usize)>,
    /// The longest chain of expected durations, as positions; empty: not known, as of a runbook.
    pub critical: Vec<usize>,
    /// Where going back ends.
    pub point_of_no_return: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Node {
    pub id: String,
    /// The action.
    pub label: String,
    pub effect: Effect,
    /// `None`: every mode.
    pub modes: Option<Vec<Mode>>,
}

impl Node {
    /// "planned, unplanned", when it does not run in every mode.
    fn modes_text(&self) -> Option<String> {
        let modes = self.modes.as_ref()?;
        Some(modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>().join(", "))
    }
}

impl Picture {
    pub fn of(runbook: &Runbook) -> Self {
        let nodes = runbook.steps.iter().map(|step| Node {
            id: step.id.to_string(),
            label: step.action.to_string(),
            effect: step.action.entry().effect,
            modes: step.modes.clone(),
        });
        let graph = Graph::new(runbook.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
        let edges =
            (0..runbook.steps.len()).flat_map(|step| graph.needs(step).into_iter().map(move |need| (need, step)));
        Self {
            title: runbook.name.clone(),
            nodes: nodes.collect(),
            edges: edges.collect(),
            critical: Vec::new(),
            point_of_no_return: None,
        }
    }

    /// With the critical path and the point of no return.
    pub fn of_plan(plan: &Plan) -> Self {
        let nodes = plan.steps.iter().map(|step| Node {
            id: step.id.to_string(),
            label: step.action.to_string(),
            effect: step.effect,
            modes: None,
        });
        let graph = Graph::new(plan.steps.iter().map(|step| (&step.id, step.needs.as_slice())));
        let edges = (0..plan.steps.len()).flat_map(|step| graph.needs(step).into_iter().map(move |need| (need, step)));
        let place = |id: &StepId| plan.steps.iter().position(|step| step.id == *id);
        Self {
            title: format!("{}, mode {}", plan.name, plan.mode),
            nodes: nodes.collect(),
            edges: edges.collect(),
            critical: plan.critical_path.iter().filter_map(place).collect(),
            point_of_no_return: plan.point_of_no_return.as_ref().and_then(place),
        }
    }

    /// Both ends are on the critical path, one after the other.
    fn is_critical(&self, from: usize, to: usize) -> bool {
        self.critical.windows(2).any(|pair| pair == [from, to])
    }

    /// For terminals: the steps in layers, each after its needs. ASCII but for the title.
    pub fn text(&self) -> String {
        let needs = self.needs();
        let id_width = self.nodes.iter().map(|node| node.id.chars().count()).max().unwrap_or(0);
        let label_width = self.nodes.iter().map(|node| node.label.chars().count()).max().unwrap_or(0);
        let mut text = format!("{}\n", self.title);
        for (number, layer) in self.layers().iter().enumerate() {
            write!(text, "\n{:>3}", number + 1).expect("a string takes everything");
            for (index, step) in layer.iter().enumerate() {
                let node = &self.nodes[*step];
                let indent = if index == 0 { "  " } else { "     " };
                let mut line =
                    format!("{indent}{:id_width$}  {:label_width$}  {:12}", node.id, node.label, node.effect);
                if let Some(modes) = node.modes_text() {
                    write!(line, "  only {modes}").expect("a string takes everything");
                }
                if !needs[*step].is_empty() {
                    let ids: Vec<&str> = needs[*step].iter().map(|need| self.nodes[*need].id.as_str()).collect();
                    write!(line, "  after {}", ids.join(", ")).expect("a string takes everything");
                }
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// A Mermaid flowchart.
    pub fn mermaid(&self) -> String {
        let mut text = format!("---\ntitle: {}\n---\nflowchart TD\n", json(&self.title));
        for (step, node) in self.nodes.iter().enumerate() {
            let lines: Vec<String> = self.lines(step).iter().map(|line| mermaid_escape(line)).collect();
            let class = class(node.effect);
            writeln!(text, "    s{step}[\"{}\"]:::{class}", lines.join("<br/>")).expect("a string takes everything");
        }
        for (from, to) in &self.edges {
            let arrow = if self.is_critical(*from, *to) { "==>" } else { "-->" };
            writeln!(text, "    s{from} {arrow} s{to}").expect("a string takes everything");
        }
        for effect in EFFECTS {
            let (fill, stroke) = colours(effect);
            let dashes = if effect == Effect::Irreversible { ",stroke-width:3px" } else { "" };
            writeln!(text, "    classDef {} fill:{fill},stroke:{stroke}{dashes},color:#1a1a1a", class(effect))
                .expect("a string takes everything");
        }
        text
    }

    /// Graphviz.
    pub fn dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", dot_quote(&self.title));
        text.push_str("  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
        for (step, node) in self.nodes.iter().enumerate() {
            let (fill, stroke) = colours(node.effect);
            let width = if node.effect == Effect::Irreversible { 3 } else { 1 };
            let label = dot_quote(&self.lines(step).join("\n"));
            writeln!(text, "  s{step} [label={label}, fillcolor=\"{fill}\", color=\"{stroke}\", penwidth={width}];")
                .expect("a string takes everything");
        }
        for (from, to) in &self.edges {
            writeln!(text, "  s{from} -> s{to};").expect("a string takes everything");
        }
        text.push_str("}\n");
        text
    }

    /// A picture that needs nothing else: no fonts, scripts or style sheets from elsewhere.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// What stands in a box.
    fn lines(&self, step: usize) -> Vec<String> {
        let node = &self.nodes[step];
        let mut lines = vec![node.id.clone(), node.label.clone()];
        lines.push(match node.modes_text() {
            Some(modes) => format!("{}; only {modes}", node.effect),
            None if self.point_of_no_return == Some(step) => format!("{}: going back ends here", node.effect),
            None => node.effect.to_string(),
        });
        lines
    }

    fn needs(&self) -> Vec<Vec<usize>> {
        let mut needs = vec![Vec::new(); self.nodes.len()];
        for (from, to) in &self.edges {
            needs[*to].push(*from);
        }
        needs
    }

    /// Every step in the layer after the last of its needs; in a layer, the order of the list.
    fn layers(&self) -> Vec<Vec<usize>> {
        let graph = Graph::from_edges(self.nodes.len(), self.edges.iter().copied());
        let needs = self.needs();
        let mut layer_of = vec![0; self.nodes.len()];
        let order = graph.order().unwrap_or_else(|_| (0..self.nodes.len()).collect());
        for step in order {
            layer_of[step] = needs[step].iter().map(|need| layer_of[*need] + 1).max().unwrap_or(0);
        }
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); layer_of.iter().max().map_or(0, |last| last + 1)];
        for (step, layer) in layer_of.into_iter().enumerate() {
            layers[layer].push(step);
        }
        layers
    }
}

const EFFECTS: [Effect; 3] = [Effect::ReadOnly, Effect::Reversible, Effect::Irreversible];

fn class(effect: Effect) -> &'static str {
    match effect {
        Effect::ReadOnly => "readonly",
        Effect::Reversible => "reversible",
        Effect::Irreversible => "irreversible",
    }
}

/// Fill and stroke; the text on the fill has a contrast of 12:1 or more.
fn colours(effect: Effect) -> (&'static str, &'static str) {
    match effect {
        Effect::ReadOnly => ("#eef4fb", "#4a7ab0"),
        Effect::Reversible => ("#fdf3d8", "#a87b00"),
        Effect::Irreversible => ("#fbe3e0", "#b3261e"),
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Mermaid reads `#name;` as a character; everything that has a meaning in a label is written so.
fn mermaid_escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '"' | '#' | ';' | '<' | '>' | '&' | '`' | '\\' => {
                write!(escaped, "#{};", u32::from(character)).expect("a string takes everything");
            }
            '\n' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

fn dot_quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let node = |id: &str, label: &str, effect, modes| Node { id: id.into(), label: label.into(), effect, modes };
        Picture {
            title: "a \"title\" <&>".into(),
            nodes: vec![
                node("confirm", "apim.confirm-outage", Effect::ReadOnly, Some(vec![Mode::Unplanned])),
                node("find", "backup.find-latest", Effect::ReadOnly, None),
                node("restore", "apim.restore", Effect::Irreversible, None),
                node("flip", "dns.flip-cname", Effect::Reversible, None),
            ],
            edges: vec![(0, 2), (1, 2), (2, 3), (1, 3)],
            critical: Vec::new(),
            point_of_no_return: None,
        }
    }

    #[test]
    fn text_shows_layers_needs_and_effects() {
        insta::assert_snapshot!(picture().text(), @r#"
        a "title" <&>

          1  confirm  apim.confirm-outage  read-only     only unplanned
             find     backup.find-latest   read-only

          2  restore  apim.restore         irreversible  after confirm, find

          3  flip     dns.flip-cname       reversible    after restore, find
        "#);
    }

    #[test]
    fn mermaid_and_dot_escape_what_has_a_meaning() {
        let mut picture = picture();
        picture.nodes[0].label = "say \"hi\" <b>\\".into();
        assert!(picture.mermaid().contains("say #34;hi#34; #60;b#62;#92;"), "{}", picture.mermaid());
        assert!(picture.dot().contains(r#"say \"hi\" <b>\\"#), "{}", picture.dot());
        assert!(picture.dot().contains("s2 -> s3;"));
    }

    #[test]
    fn svg_is_whole_and_escapes_what_has_a_meaning() {
        let mut picture = picture();
        picture.nodes[0].label = "<script>&\"".into();
        let svg = picture.svg();
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("<script>") && svg.contains("&lt;script&gt;&amp;&quot;"));
        assert_eq!(svg.matches("<rect ").count(), 4 + 1, "a box a step, and the background");
        assert_eq!(svg.matches("<path class=\"edge\"").count(), 4);
        let mut reader = quick_xml::Reader::from_str(&svg);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }

    #[test]
    fn an_empty_picture_can_be_drawn() {
        let empty = Picture {
            title: "nothing".into(),
            nodes: vec![],
            edges: vec![],
            critical: vec![],
            point_of_no_return: None,
        };
        assert!(empty.svg().contains("nothing"));
        assert_eq!(empty.text(), "nothing\n");
    }
}
